// `gatehook/publisher`: the publisher in a gateway that is written in Node. Its declarations are the package's, so they name
// no type of another module.
import { openOnThisMachine } from "../cli/open-publisher.ts";
import { createRedact } from "../lib/events/redact.ts";

export interface PublisherOptions {
  /** Of the events queue, which the process may send to by credentials that the AWS SDK finds. */
  queueUrl: string;
  /** The folder that keeps events until the queue has them; of this publisher alone. */
  spool: string;
  /** What the folder may hold, 256 by default. */
  spoolMegabytes?: number;
  /** Names of headers to take out of the originating request, beside authorization, cookies and the like; `x-api-key` by default. */
  redactHeaders?: string[];
  /** What becomes of an event of more than 1 MiB: it loses its originating request, by default, or is refused. */
  oversize?: "trim" | "refuse";
  /** Over what the AWS SDK finds by itself. */
  client?: {
    region?: string;
    endpoint?: string;
    credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  };
  /** Is told what goes wrong, and when it goes well again; nothing of an event's content. */
  log?: (line: { level: "info" | "warn" | "error"; message: string; [field: string]: unknown }) => void;
}

export interface PublishedEvent {
  /** Two events of one API with one id have one effect. */
  id: string;
  api_id: string;
  type: string;
  /** What was not there although a gateway has it, or was left out since it was too large. */
  partial?: string[];
}

/** Counts of this publisher, since it was opened, but for what is in the spool. */
export interface PublisherStatus {
  /** Why the next event would be refused: the spool is full, or its disk cannot be written to. */
  status: "ok" | "full" | "disk";
  accepted: number;
  sent: number;
  /** Events in the spool, and their bytes. */
  spooled: number;
  bytes: number;
  max_bytes: number;
  /** The age of the oldest event in the spool; null when it is empty. */
  oldest_seconds: number | null;
  /** Events that the queue never takes, in refused.jsonl. */
  refused: number;
  /** Records that cannot be read, in damaged.jsonl. */
  damaged: number;
  /** Events without their originating request, which was too large. */
  trimmed: number;
  /** What was not taken, by the code of its error. */
  rejected: Record<string, number>;
  /** Why events wait; null while the queue takes them. */
  queue_error: string | null;
}

export interface Publisher {
  /**
   * Resolves when the event is on the disk: from then on it gets to the queue. `event` is an object, or a text in any form
   * of docs/events.md. Rejects with an error whose `code` says why it is not accepted: `event-invalid`,
   * `event-too-large`, `spool-full` or `spool-failed`.
   */
  publish(apiId: string, event: object | string, options?: { id?: string }): Promise<PublishedEvent>;
  status(): PublisherStatus;
  /** Sends what it can in that time, 10 seconds by default, and ends; what is left stays in the spool. */
  close(options?: { drainMs?: number }): Promise<PublisherStatus>;
}

/** Rejects with the code `spool-locked` when another process has the folder, and `spool-failed` when it cannot be used. */
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

/** As a header has it, whatever is in it. */
const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
