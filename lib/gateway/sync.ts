import type { Attributes } from "../dynamo/attributes.ts";
import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Gateway } from "./client.ts";
import { shortKeyDigest } from "./key-digest.ts";
import type { Row } from "./row.ts";
import { copyOf, type Rows, rowOf } from "./rows.ts";
import type { Settled } from "./settle.ts";

/** The used members of a record of the sessions table's stream. */
export interface StreamRecord {
  eventName?: string | undefined;
  dynamodb?: { NewImage?: unknown; OldImage?: unknown; SequenceNumber?: string | undefined } | undefined;
}

/** `now` in ms, `random` from 0 to 1. */
export interface SyncDeps {
  /** For one invocation: a connection may be dead in the next one. */
  connect: () => Gateway;
  /** Throws setting-invalid if the gateway hashes keys differently from these names. */
  check?: (gateway: Gateway) => Promise<void>;
  settle: (row: Row, gateway: Gateway) => Promise<Settled>;
  rows: Pick<Rows, "write" | "remove">;
  /** Schedules these rows to be settled again, each after its time in ms. It is durable after this resolves. */
  later: (again: { key: string; ms: number }[]) => Promise<void>;
  /** Concurrent keys. */
  concurrency: number;
  /** The time reserved for one key, in ms: with less left, it is retried later. */
  keyMs: number;
  now: () => number;
  random: () => number;
  log: Log;
  metrics: Metrics;
}

/** The longest delay of a key that could not be settled; it grows with the age of its change. */
const LONGEST_WAIT_MS = 900_000;
const SHORTEST_WAIT_MS = 1_000;

/**
 * Settles the keys of a batch of the stream independently: a key that cannot be settled now is retried later and does
 * not delay others. Throws if that fails, so that the batch is delivered again.
 */
export function createSync(deps: SyncDeps) {
  const { rows, log, metrics } = deps;

  async function settleOne(row: Row, gateway: Gateway, timeLeft: () => number): Promise<Settled> {
    if (timeLeft() < deps.keyMs) return { kind: "unknown" };
    try {
      await deps.check?.(gateway);
      return await deps.settle(row, gateway);
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.code === "setting-invalid") throw thrown;
      log.warn("session not settled", { key_hash: shortKeyDigest(row.key), error: errorText(thrown) });
      return { kind: "unknown" };
    }
  }

  /** Writes the result to the row. If a handler was first, its own record follows this one. */
  async function keep(row: Row, settled: Settled): Promise<void> {
    if (settled.kind === "unknown") {
      metrics.count("SyncPostponed");
      return metrics.observe("SyncPostponedAge", ageOf(row));
    }
    const kept =
      settled.kind === "remove"
        ? await rows.remove(row)
        : await rows.write(
            { ...row, version: settled.version ?? row.version },
            settled.session,
            settled.gateway,
          );
    if (!kept) return;
    const pending = settled.kind === "row" && settled.gateway.change !== undefined;
    log.info("session settled", { key_hash: shortKeyDigest(row.key), pending });
    metrics.count("SessionsSynced");
  }

  /** The age of its oldest unsettled change, in ms. */
  const ageOf = ({ gateway: { change, look } }: Row) => deps.now() - (change?.since ?? look ?? deps.now());

  function waitFor(row: Row): number {
    const longest = Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, ageOf(row)));
    return longest * (0.5 + deps.random() / 2);
  }

  const againOf = (row: Row, settled: Settled) => {
    const ms = settled.kind === "unknown" ? waitFor(row) : settled.kind === "row" ? settled.later : undefined;
    return ms === undefined ? [] : [{ key: row.key, ms }];
  };

  async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
    const left = items.values();
    const drain = async () => {
      for (const item of left) await work(item);
    };
    await Promise.all(Array.from({ length: deps.concurrency }, drain));
  }

  return async (records: StreamRecord[], timeLeft: () => number): Promise<void> => {
    const asked = rowsThatAsk(records);
    if (asked.length === 0) return;
    const results: { row: Row; settled: Settled }[] = [];
    const gateway = deps.connect();
    try {
      await inParallel(
        asked,
        async (row) => void results.push({ row, settled: await settleOne(row, gateway, timeLeft) }),
      );
    } finally {
      await gateway.close();
    }
    // First the retries are scheduled, then the rows are written, which rely on them. If either fails, the whole batch
    // is delivered again, and finds what the gateway has already accepted.
    await deps.later(results.flatMap(({ row, settled }) => againOf(row, settled)));
    await inParallel(results, ({ row, settled }) => keep(row, settled));
  };
}

/** The last row of each key that needs to be settled: it has the complete state. */
function rowsThatAsk(records: StreamRecord[]): Row[] {
  const asked = new Map<string, Row>();
  for (const { eventName, dynamodb } of records) {
    const image = dynamodb?.NewImage as Attributes | undefined;
    if (eventName !== "REMOVE" && !image) throw noImages();
    const copy = image && copyOf(image);
    const row = copy && rowOf(copy);
    if (!row) continue;
    if (asksSomething(row, image, dynamodb?.OldImage as Attributes | undefined)) asked.set(row.key, row);
    else asked.delete(row.key);
  }
  return [...asked.values()];
}

/** A change that the gateway has accepted waits until the row is touched again. */
function asksSomething({ gateway }: Row, image: Attributes, old: Attributes | undefined): boolean {
  if (gateway.look !== undefined) return true;
  if (!gateway.change) return false;
  return gateway.change.until === undefined || (image.again !== undefined && image.again.N !== old?.again?.N);
}

/** A stream with only the keys would hide every change. */
function noImages(): AppError {
  const message = "the stream of the sessions table has no images: its view type must be NEW_AND_OLD_IMAGES";
  return new AppError("setting-invalid", message);
}
