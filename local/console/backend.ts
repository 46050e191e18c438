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

/** What the page shows, and what it changes; a part that is not there is not offered. */
export interface Backend {
  about: Pick<State, "mode" | "place" | "dir" | "url" | "write" | "settings">;
  history?: RecordedEvents | undefined;
  /** Why there are no events, where there are none. */
  historyState: Omit<HistoryState, "events">;
  sender?: Sender | undefined;
  sessions?: Sessions | undefined;
  /** The ARN of the person who changes a session here; "" where it is not known. */
  who?: string | undefined;
  /** Only where what is done here is written down. */
  audit?: Audit | undefined;
  releases?: Releases | undefined;
  deadLetters?: DeadLetterQueues | undefined;
  reruns?: Reruns | undefined;
  /** Writes a file of a test below `tests/`; answers its path. */
  saveTest?: ((attempt: AttemptRecord, name: string) => Promise<string>) | undefined;
}

/** The recorded events that the page shows. */
export interface RecordedEvents {
  index: HistoryIndex;
  /** A reader from the beginning. */
  read(): HistoryReader;
  /** What is recorded of the events of a key, and the name that this has there; without it all is looked through. */
  ofKey?(key: string): Promise<{ reader: HistoryReader; name: string }>;
  /** What is written down of who changed this session, by the name that its key has in what is recorded. */
  edits?(name: string): Promise<AuditRecord[]>;
  /** A filter in the words of what is recorded, where keys have other names there. */
  inRecorded?(filter: string): Promise<string>;
  /** Where a failed run failed, in the source that ran. */
  frameOf(error: string, release: string | undefined): Promise<Frame | null>;
}

/** Sends events from the page. */
export interface Sender {
  /** Samples for an API and a key, where these are given. */
  types(api: string | undefined, key: string | undefined): Promise<Types>;
  /** Over ingest, as a gateway does; answers the new event's id. */
  send(event: { api_id: string; event: GatewayEvent }): Promise<string>;
}

/** Recorded events run again, dry, and those that each save runs again. */
export interface Reruns {
  /** `release`: a version, `live`, or `working` for the files of the folder. Throws `not-recorded`. */
  run(attempt: AttemptRecord, release: string, http: "recorded" | "live"): Promise<RerunAnswer>;
  /** The same of many, of which only those that differ are told. */
  tryAll(
    attempts: AttemptRecord[],
    release: string,
    onOne: (told: Tried) => void,
    stop: AbortSignal,
  ): Promise<void>;
  pins(): Pinned[];
  pin(attempt: AttemptRecord, on: boolean): void;
  /** Called when pins were run again, or are others. */
  onPins(listener: () => void): () => void;
}

/** The sessions API's rules, called in this process. Throws its coded errors. */
export type Sessions = (request: SessionsRequest) => Promise<SessionsReply>;

/** The releases that the page shows and goes back to. */
export interface Releases {
  store: Pick<ReleaseStore, "pointer" | "history" | "entry" | "read" | "record">;
  /** Called when another release may be live, or one was refused. */
  onChange(listener: () => void): () => void;
}

/** The dead-letter queue, and the events queue that letters are sent back to. */
export interface DeadLetterQueues {
  letters: Queue;
  events: Queue;
}
