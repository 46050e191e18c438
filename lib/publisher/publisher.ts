import { AppError } from "../errors.ts";
import type { SendCall } from "../events/send.ts";
import { apiOf, type HttpRequest } from "../ingest/http.ts";
import { type Answer, accepted, createTake, rejectionOf, type TakeDeps } from "../ingest/take.ts";
import type { Log } from "../log.ts";
import { createDeliver } from "./deliver.ts";
import { type DrainDeps, startDrain } from "./drain.ts";
import { openSpool } from "./spool.ts";

/** The dependencies of a publisher, in addition to those for reading requests. `call` sends to `queueUrl`. */
export interface PublisherDeps extends TakeDeps, Pick<DrainDeps, "random" | "delay"> {
  /** The folder of the spool. */
  folder: string;
  /** The limit of the spool, in bytes. */
  maxBytes: number;
  queueUrl: string;
  call: SendCall;
  /** In ms since 1970. */
  now: () => number;
  log: Log;
}

/** A request whose body may not be read yet. */
export type Head = Omit<HttpRequest, "body">;

/** Accepts events as ingest does, and keeps them in a spool until the queue has them. */
export interface Publisher {
  /**
   * Resolves when the events of the request are on disk. Throws errors of `body`, and `AppError`: then none of them is
   * accepted.
   */
  take(request: Head, body: () => Promise<string>): Promise<Answer>;
  status(): Status;
  /** Stops accepting events, and sends events for up to this number of milliseconds. Returns the final status. */
  close(drainMs: number): Promise<Status>;
}

/** Counts since the start of the process, and the state of the spool. */
export interface Status {
  /** Why the next event would be rejected: the spool is full, or its disk cannot be written to. */
  status: "ok" | "full" | "disk";
  /** Events that were answered with 202. */
  accepted: number;
  /** Events that the queue has. */
  sent: number;
  /** Events in the spool. */
  spooled: number;
  /** Their size, and the limit of the spool. */
  bytes: number;
  max_bytes: number;
  /** The age of the oldest event in the spool; null if it is empty. */
  oldest_seconds: number | null;
  /** Events that the queue rejects permanently, in refused.jsonl. */
  refused: number;
  /** Records that cannot be read, in damaged.jsonl. */
  damaged: number;
  /** Events without their originating request, which was too large. */
  trimmed: number;
  /** Requests that were rejected, by code. */
  rejected: Record<string, number>;
  /** Why events wait; null while the queue accepts them. */
  queue_error: string | null;
}

/**
 * Starts to send the events of the spool. Throws `spool-locked` and `spool-failed`; the caller closes the publisher.
 */
export async function openPublisher(deps: PublisherDeps): Promise<Publisher> {
  const { folder, maxBytes, queueUrl, call, now, log } = deps;
  const spool = await openSpool({ folder, maxBytes, now, log });
  const drain = startDrain({ ...deps, spool, deliver: createDeliver({ call, queueUrl }) });
  const takeFrom = createTake(deps);
  let count = 0;
  let trimmed = 0;
  let isClosing = false;
  let closed: Promise<Status> | undefined;
  const rejected: Record<string, number> = {};

  async function take(head: Head, body: () => Promise<string>): Promise<Answer> {
    const apiId = apiOf(head);
    const { taken, many } = takeFrom(apiId, { ...head, body: await body() });
    if (isClosing) throw new AppError("spool-failed", "the publisher is ending");
    await spool.append(taken.map(({ body }) => body));
    count += taken.length;
    for (const { envelope } of taken.filter((each) => each.trimmed)) {
      const { id, api_id, event } = envelope;
      const facts = { event_id: id, api_id, type: event.Type };
      log.warn("event trimmed: it was too large for the queue with its OriginatingRequest", facts);
      trimmed += 1;
    }
    return accepted(taken, many);
  }

  function status(): Status {
    const { events, bytes, oldestAt, damaged, trouble } = spool.state();
    const { sent, refused, error } = drain.state();
    return {
      status: trouble ?? "ok",
      accepted: count,
      sent,
      spooled: events,
      bytes,
      max_bytes: maxBytes,
      oldest_seconds: oldestAt === undefined ? null : Math.max(0, Math.round((now() - oldestAt) / 1_000)),
      refused,
      damaged,
      trimmed,
      rejected: { ...rejected },
      queue_error: error ?? null,
    };
  }

  async function close(drainMs: number): Promise<Status> {
    isClosing = true;
    const ended = new AbortController();
    const late = deps.delay(drainMs, ended.signal).then(drain.cut);
    await drain.end();
    ended.abort();
    await late;
    await spool.close();
    return status();
  }

  return {
    async take(head, body) {
      try {
        return await take(head, body);
      } catch (thrown) {
        const code = thrown instanceof AppError ? thrown.code : "internal";
        rejected[code] = (rejected[code] ?? 0) + 1;
        throw rejectionOf(thrown, head, log);
      }
    },
    status,
    close(drainMs) {
      closed ??= close(drainMs);
      return closed;
    },
  };
}
