import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type Change, keyDigest, lastChanges, type StreamRecord } from "./changes.ts";
import type { SendRefusal } from "./dead-letters.ts";
import type { Answer, Gateway } from "./gateway.ts";
import { isAddressable } from "./key-name.ts";

export interface GatewaySyncDeps {
  /** For one batch: a connection that outlives the invocation may be dead at the next one. */
  connect: () => Gateway;
  sendRefusal: SendRefusal;
  /** How old a change is at which the gateway's own 500 counts as a refusal. */
  giveUpSeconds: number;
  /** What one change may need, in ms. */
  changeMs: number;
  now: () => number;
  log: Log;
  metrics: Metrics;
}

/**
 * Carries the changes of a batch to the gateway, one after the other. Returns the sequence number of the first
 * record that is not proven done, from which the stream has to go on; undefined when all are done.
 */
export type GatewaySync = (records: StreamRecord[], timeLeft: () => number) => Promise<string | undefined>;

export function createGatewaySync(deps: GatewaySyncDeps): GatewaySync {
  const { sendRefusal, log, metrics } = deps;

  async function carry(change: Change, gateway: Gateway): Promise<void> {
    const answer = await ask(change, gateway);
    const { status, message } = answer;
    const operation = change.action.operation === "delete" ? "delete" : "put";
    const reference = { ...referenceTo(change), operation, status } as const;
    if (isDone(answer)) {
      log.info("session sent", reference);
      metrics.count("SessionsSynced");
      return;
    }
    const old = deps.now() - change.at * 1000 >= deps.giveUpSeconds * 1000;
    if (!isRefused(answer, old))
      throw new AppError("dependency-failed", `the gateway answered ${status} ${message}`.trimEnd());
    // The record counts as done only when the queue has it.
    await sendRefusal({ ...reference, message });
    log.error("change refused", { ...reference, error: message });
    metrics.count("SyncRefused");
  }

  return async (records, timeLeft) => {
    const gateway = deps.connect();
    try {
      for (const [at, change] of lastChanges(records).entries()) {
        // The first one is always tried, so that each invocation gets on.
        if (at > 0 && timeLeft() < deps.changeMs) return change.sequenceNumber;
        try {
          await carry(change, gateway);
        } catch (thrown) {
          log.warn("change repeated", { ...referenceTo(change), error: errorText(thrown) });
          return change.sequenceNumber;
        }
      }
      return undefined;
    } finally {
      await gateway.close();
    }
  };
}

const referenceTo = ({ key, sequenceNumber }: Change) => ({
  key_sha256: keyDigest(key),
  sequence_number: sequenceNumber,
});

async function ask({ key, orgId, action }: Change, gateway: Gateway): Promise<Answer> {
  if (action.operation === "unfit") return { status: 0, message: action.error };
  if (!isAddressable(key)) return { status: 0, message: "the gateway's API cannot name this key" };
  return action.operation === "put" ? gateway.put(key, action.session, orgId) : gateway.remove(key, orgId);
}

const isDone = ({ status }: Answer) => status >= 200 && status < 300;

/** What these tell is about the secret, the address or the load, not about the change. */
const REPEATED = new Set([401, 403, 405, 407, 408, 425, 429]);

/**
 * Whether it makes no sense to ask again. A gateway answers 500 both while its store is away and for a session whose
 * policy does not exist, in the same words: only time tells them apart.
 */
function isRefused({ status, message }: Answer, old: boolean): boolean {
  if (status === 500) return old && message !== "";
  if (status === 404) return message !== "";
  return status === 0 || (status >= 400 && status < 500 && !REPEATED.has(status));
}
