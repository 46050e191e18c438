import type { Frame, HistoryState, Pinned, RerunAnswer, State, Tried, Types } from "../../console/answers.ts";
import type { Queue } from "../../lib/dead-letters/queue.ts";
import type { GatewayEvent } from "../../lib/events/event.ts";
import type { AuditRecord } from "../../lib/history/audit.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import type { ReleaseStore } from "../../lib/releases/store.ts";
import type { SessionsReply, SessionsRequest } from "../../lib/sessions/api.ts";
import type { HistoryReader } from "../history-reader.ts";
import type { Audit } from "./audit.ts";
import type { HistoryIndex } from "./history-index.ts";

/** The data and actions of the page; a missing part is not offered. */
export interface Backend {
  about: Pick<State, "mode" | "place" | "dir" | "url" | "write" | "settings">;
  history?: RecordedEvents | undefined;
  /** The reason why no events are recorded, if so. */
  historyState: Omit<HistoryState, "events">;
  sender?: Sender | undefined;
  sessions?: Sessions | undefined;
  /** The ARN of the person who changes a session here; "" if unknown. */
  who?: string | undefined;
  /** Only if changes are audited. */
  audit?: Audit | undefined;
  releases?: Releases | undefined;
  deadLetters?: DeadLetterQueues | undefined;
  reruns?: Reruns | undefined;
  /** Writes a test file below `tests/`; returns its path. */
  saveTest?: ((attempt: AttemptRecord, name: string) => Promise<string>) | undefined;
}

/** The recorded events that the page shows. */
export interface RecordedEvents {
  index: HistoryIndex;
  /** A reader from the beginning. */
  read(): HistoryReader;
  /** The history of the events of a key, and the key's name there; if missing, the whole history is searched. */
  ofKey?(key: string): Promise<{ reader: HistoryReader; name: string }>;
  /** The audit records of a session, by its key's name in the history. */
  edits?(name: string): Promise<AuditRecord[]>;
  /** The filter with keys as they are recorded, if they have other names in the history. */
  inRecorded?(filter: string): Promise<string>;
  /** The place where a run failed, in its source. */
  frameOf(error: string, release: string | undefined): Promise<Frame | null>;
}

/** Sends events from the page. */
export interface Sender {
  /** Samples for an API and a key, if given. */
  types(api: string | undefined, key: string | undefined): Promise<Types>;
  /** Sends to ingest, as a gateway does; returns the new event's id. */
  send(event: { api_id: string; event: GatewayEvent }): Promise<string>;
}

/** Reruns of recorded events, without effects, and the events that run again at each save. */
export interface Reruns {
  /** `release`: a version, `live`, or `working` for the files of the folder. Throws `not-recorded`. */
  run(attempt: AttemptRecord, release: string, http: "recorded" | "live"): Promise<RerunAnswer>;
  /** The same for many events; reports only those with another result. */
  tryAll(
    attempts: AttemptRecord[],
    release: string,
    onOne: (told: Tried) => void,
    stop: AbortSignal,
  ): Promise<void>;
  pins(): Pinned[];
  pin(attempt: AttemptRecord, on: boolean): void;
  /** Called after a rerun or a change of the pins. */
  onPins(listener: () => void): () => void;
}

/** The sessions API's rules, called in this process. Throws its coded errors. */
export type Sessions = (request: SessionsRequest) => Promise<SessionsReply>;

/** The releases for the page, and rollbacks. */
export interface Releases {
  store: Pick<ReleaseStore, "pointer" | "history" | "entry" | "read" | "record">;
  /** Called when another release may be live, or one was rejected. */
  onChange(listener: () => void): () => void;
}

/** The dead-letter queue, and the events queue to which letters are sent back. */
export interface DeadLetterQueues {
  letters: Queue;
  events: Queue;
}
