// `gatehook/publisher`: the publisher in a gateway that is written in Node. Its declarations are part of the package,
// so they name no type of another module.
import { openOnThisMachine } from "../cli/open-publisher.ts";
import { createRedact } from "../lib/events/redact.ts";

/** Where events go, and where they are kept until then. */
export interface PublisherOptions {
  /** The URL of the events queue. The AWS SDK finds the credentials, and the region where the URL does not name it. */
  queueUrl: string;
  /** The folder that keeps events until the queue has them; made if missing. One publisher can use it at a time. */
  spool: string;
  /** What the folder may hold, in megabytes of 1,000,000 bytes; 256 by default. */
  spoolMegabytes?: number;
  /**
   * Headers of the originating request whose values become `[redacted]`, in addition to `authorization`, `cookie` and
   * the like, which always do. `["x-api-key"]` by default.
   */
  redactHeaders?: string[];
  /** An event of more than 1 MiB loses its originating request (`trim`, the default) or is refused (`refuse`). */
  oversize?: "trim" | "refuse";
  /** Settings of the SQS client that take the place of what the AWS SDK finds by itself. */
  client?: {
    region?: string;
    endpoint?: string;
    credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  };
  /** Called when something goes wrong, and when it works again. The lines hold nothing of an event's content. */
  log?: (line: { level: "info" | "warn" | "error"; message: string; [field: string]: unknown }) => void;
}

/** An event that is on the disk. */
export interface PublishedEvent {
  /** The id that was given, or a new one. Two events of one API with one id have one effect. */
  id: string;
  api_id: string;
  /** Such as `KeyExpired`. */
  type: string;
  /** Members that a gateway sends and this event lacks, such as `["TimeStamp"]`; not there for a whole event. */
  partial?: string[];
}

/** Counts since the publisher was opened; `spooled`, `bytes` and `oldest_seconds` are of the spool as it is now. */
export interface PublisherStatus {
  /** Why the next event would be refused: the spool is full, or its disk cannot be written to. */
  status: "ok" | "full" | "disk";
  /** Events for which `publish` resolved. */
  accepted: number;
  /** Events that the queue took. */
  sent: number;
  /** Events that wait in the spool. */
  spooled: number;
  /** What they take on the disk. */
  bytes: number;
  /** What they may take: `spoolMegabytes` in bytes. */
  max_bytes: number;
  /** The age of the oldest event in the spool; null when it is empty. */
  oldest_seconds: number | null;
  /** Events that SQS refused for good; they are in `refused.jsonl` of the spool. */
  refused: number;
  /** Records of the spool that could not be read; they are in `damaged.jsonl`. */
  damaged: number;
  /** Events that were sent without their originating request, since they were too large with it. */
  trimmed: number;
  /** Calls of `publish` that rejected, counted by the `code` of the error. */
  rejected: Record<string, number>;
  /** Why events wait; null while the queue takes them. */
  queue_error: string | null;
}

/** An open publisher. It sends in the background until it is closed. */
export interface Publisher {
  /**
   * Resolves when the event is on the disk. From then on the publisher sends it until the queue has it, also after a
   * restart.
   *
   * @param event one event: an object, or a text in any form of docs/events.md.
   * @param options `id`: two events of one API with one id have one effect. A new id by default.
   * @throws an error whose `code` says why the event was not accepted: `event-invalid`, `event-too-large`, `spool-full`
   * or `spool-failed`. `spool-failed` is also the code after `close`.
   */
  publish(apiId: string, event: object | string, options?: { id?: string }): Promise<PublishedEvent>;
  /** The counts of now, without a request to the queue. */
  status(): PublisherStatus;
  /**
   * Accepts no more events, sends for at most `drainMs` milliseconds (10,000 by default) what is in the spool, and
   * unlocks the folder. What is left stays in the spool, and the next publisher of the folder sends it. A second call
   * waits for the first.
   */
  close(options?: { drainMs?: number }): Promise<PublisherStatus>;
}

/**
 * Opens the spool and begins to send what is in it. The caller closes the publisher.
 *
 * @throws an error with the `code` `spool-locked` when another process uses the folder, `spool-failed` when the folder
 * cannot be used, and `setting-invalid` when the region of the queue is not known.
 *
 * @example
 * import { openPublisher } from "gatehook/publisher";
 *
 * const publisher = await openPublisher({
 *   queueUrl: "https://sqs.eu-west-1.amazonaws.com/123456789012/gatehook-prod-events",
 *   spool: "/var/spool/my-gateway",
 * });
 * await publisher.publish("demo", { Type: "KeyExpired", Meta: { Key: "k1" } });
 * await publisher.close();
 */
export async function openPublisher(options: PublisherOptions): Promise<Publisher> {
  const { queueUrl, spool, spoolMegabytes = 256, redactHeaders = ["x-api-key"], oversize = "trim" } = options;
  const write = (level: "info" | "warn" | "error") => (message: string, fields: Record<string, unknown>) =>
    options.log?.({ level, message, ...fields });
  const publisher = await openOnThisMachine({
    queueUrl,
    folder: spool,
    maxBytes: spoolMegabytes * 1_000_000,
    redact: createRedact(redactHeaders),
    oversize,
    ...(options.client && { client: options.client }),
    log: { info: write("info"), warn: write("warn"), error: write("error") },
  });
  return {
    async publish(apiId, event, { id } = {}) {
      const text = typeof event === "string" ? event : JSON.stringify(event);
      const headers = id === undefined ? {} : { "idempotency-key": quoted(id) };
      const head = { method: "POST", path: `/events/${encodeURIComponent(apiId)}`, apiId, headers };
      const { body } = await publisher.take(head, async () => text);
      return body as PublishedEvent;
    },
    status: () => publisher.status(),
    close: ({ drainMs = 10_000 } = {}) => publisher.close(drainMs),
  };
}

/** As a quoted string of a header, whatever characters the id has. */
const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
