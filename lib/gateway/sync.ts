import type { Attributes } from "../dynamo/attributes.ts";
import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Gateway } from "./client.ts";
import { keyDigest } from "./key-digest.ts";
import { type Rows, rowOf } from "./rows.ts";
import type { Row, Settled } from "./settle.ts";

/** What is used of a record of the sessions table's stream. */
export interface StreamRecord {
  eventName?: string | undefined;
  dynamodb?: { NewImage?: unknown; OldImage?: unknown; SequenceNumber?: string | undefined } | undefined;
}

export interface SyncDeps {
  /** For one invocation: a connection that outlives it may be dead at the next one. */
  connect: () => Gateway;
  settle: (row: Row, gateway: Gateway) => Promise<Settled>;
  rows: Pick<Rows, "write" | "remove">;
  /** Has the row come again after this time, in ms. It is durable once this resolves. */
  later: (key: string, ms: number) => Promise<void>;
  /** Keys at the same time. */
  concurrency: number;
  now: () => number;
  random: () => number;
  log: Log;
  metrics: Metrics;
}

/** How long a key waits that could not be settled: longer the older its change is, up to this. */
const LONGEST_WAIT_MS = 900_000;
const SHORTEST_WAIT_MS = 1_000;

/**
 * Settles the keys of a batch of the stream, each by itself: one that cannot be settled now comes again later and
 * holds back no other. Answers the sequence number of the first record that is neither settled nor kept for later.
 */
export function createSync(deps: SyncDeps) {
  const { rows, log, metrics } = deps;

  async function settleOne(row: Row, gateway: Gateway): Promise<void> {
    const settled = await deps.settle(row, gateway);
    if (settled.kind === "unknown") return deps.later(row.key, waitFor(row));
    if (settled.kind === "remove") return void (await rows.remove(row));
    // First the promise to look again, then the row that counts on it.
    if (settled.later !== undefined) await deps.later(row.key, settled.later);
    // When a handler was first, its own record follows this one.
    const written = await rows.write(row, settled.session, settled.gateway);
    if (!written) return;
    log.info("session settled", {
      key_sha256: keyDigest(row.key),
      pending: settled.gateway.change !== undefined,
    });
    metrics.count("SessionsSynced");
  }

  function waitFor({ gateway: { change, look } }: Row): number {
    const since = change?.since ?? look ?? deps.now();
    const longest = Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, deps.now() - since));
    return longest * (0.5 + deps.random() / 2);
  }

  /** True when the row is settled, or is known to come again. */
  async function tend(row: Row, gateway: Gateway): Promise<boolean> {
    const facts = { key_sha256: keyDigest(row.key) };
    try {
      await settleOne(row, gateway);
      return true;
    } catch (thrown) {
      log.warn("session not settled", { ...facts, error: errorText(thrown) });
      metrics.count("SyncPostponed");
    }
    try {
      await deps.later(row.key, waitFor(row));
      return true;
    } catch (thrown) {
      log.error("session not kept for later, its record comes again", { ...facts, error: errorText(thrown) });
      return false;
    }
  }

  return async (records: StreamRecord[]): Promise<string | undefined> => {
    const asked = lastAsked(records);
    if (asked.length === 0) return undefined;
    const gateway = deps.connect();
    const open: number[] = [];
    try {
      const left = asked.values();
      const work = async () => {
        for (const { row, at } of left) if (!(await tend(row, gateway))) open.push(at);
      };
      await Promise.all(Array.from({ length: deps.concurrency }, work));
    } finally {
      await gateway.close();
    }
    return open.length === 0 ? undefined : records[Math.min(...open)]?.dynamodb?.SequenceNumber;
  };
}

/** For each key its last row in which something is to be done: a row holds all that is to be known of it. */
function lastAsked(records: StreamRecord[]): { row: Row; at: number }[] {
  const asked = new Map<string, { row: Row; at: number }>();
  for (const [at, { eventName, dynamodb }] of records.entries()) {
    const image = dynamodb?.NewImage as Attributes | undefined;
    if (eventName !== "REMOVE" && !image) throw noImages();
    const row = image && rowOf(image);
    if (!row) continue;
    if (asksSomething(row, image, dynamodb?.OldImage as Attributes | undefined))
      asked.set(row.key, { row, at });
    else asked.delete(row.key);
  }
  return [...asked.values()];
}

/** A change that the gateway has taken waits until the row is touched again. */
function asksSomething({ gateway }: Row, image: Attributes, old: Attributes | undefined): boolean {
  if (gateway.look !== undefined) return true;
  if (!gateway.change) return false;
  return !gateway.change.taken || (image.again !== undefined && image.again.N !== old?.again?.N);
}

/** A stream with keys alone would hide every change. */
function noImages(): AppError {
  const message = "the stream of the sessions table has no images: its view type must be NEW_AND_OLD_IMAGES";
  return new AppError("setting-invalid", message);
}
