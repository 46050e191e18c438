import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { DeadLetters, Job, Selection } from "../../console/answers.ts";
import { createGroups } from "../../lib/dead-letters/groups.ts";
import { groupOf, type LetterFacts } from "../../lib/dead-letters/letter.ts";
import { emptyTally, redrive } from "../../lib/dead-letters/redrive.ts";
import { removeLetters } from "../../lib/dead-letters/remove.ts";
import { readLetters } from "../../lib/dead-letters/sweep.ts";
import { AppError } from "../../lib/errors.ts";
import { rowKey } from "../../lib/history/event-rows.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import type { Backend, DeadLetterQueues, RecordedEvents } from "./backend.ts";
import { attemptsOf } from "./events.ts";
import type { HistoryIndex, IndexedEvent } from "./history-index.ts";
import type { Jobs } from "./jobs.ts";

/** The maximum number of skipped letters. */
const MOST = 10_000;
const SELECTION_MS = 15 * 60_000;
const MAX_RATE = 1_000;

interface Frozen {
  ids: ReadonlySet<string>;
  /** The kind of the ids. */
  by: "message_id" | "event";
  expires: number;
  made: number;
  /** The group that was selected, for the audit. */
  name: string;
}

/** The routes of dead letters. A selection can be used once, within 15 minutes. Throws `request-invalid`. */
export interface DeadLetterDesk {
  read(): Promise<DeadLetters>;
  sweep(): Job;
  /** Selects the current letters of a group or of a list of events. */
  select(body: Record<string, unknown>): Promise<Selection>;
  /** The content of a selection, without using it. */
  selected(body: Record<string, unknown>): { target: string; count: number };
  redrive(body: Record<string, unknown>): Job;
  remove(body: Record<string, unknown>): Job;
}

/** The row key of the letter's event in the history. */
export const letterKey = ({ api_id = "", event_id }: Pick<LetterFacts, "api_id" | "event_id">) =>
  rowKey({ api_id, id: event_id });

/** The dead letters from the history, without a request to the queue. */
export async function recordedLetters(history: RecordedEvents | undefined): Promise<LetterFacts[]> {
  if (!history) return [];
  const dead = history.index.events().filter(({ row }) => row.outcome === "dead");
  return Promise.all(dead.map((event) => factsOf(history.index, event)));
}

async function factsOf(index: HistoryIndex, event: IndexedEvent): Promise<LetterFacts> {
  const attempt = (await attemptsOf(index, event)).at(-1);
  const handler = attempt?.runs.find(({ outcome }) => outcome === "failed")?.handler;
  const { id, api_id, type, last_at, reason, error, release } = event.row;
  return {
    message_id: "",
    event_id: id,
    api_id,
    type,
    sent_at: last_at,
    reason,
    error,
    ...groupOf({ reason, error, handler }),
    ...(handler !== undefined && { handler }),
    ...(release && { release }),
  };
}

/** Keeps selections and the last sweep in memory, so that a restart forgets them. */
export function createDeadLetterDesk(backend: Backend, queues: DeadLetterQueues, jobs: Jobs): DeadLetterDesk {
  const { history } = backend;
  const selections = new Map<string, Frozen>();
  /** The letters of each group in the last sweep. */
  let swept: Map<string, string[]> | undefined;

  interface Taken {
    frozen: Frozen;
    chosen: (facts: LetterFacts) => boolean;
  }
  type Work = (taken: Taken, job: Job, stop: AbortSignal) => Promise<void>;

  /** Uses a selection; if no job could be started for it, it can be used again. */
  function use(body: Record<string, unknown>, kind: Job["kind"], work: Work): Job {
    const id = String(body.selection ?? "");
    const frozen = selections.get(id);
    if (!frozen || frozen.expires < Date.now())
      throw new AppError("request-invalid", "the selection was used or has expired: select again", {
        field: "selection",
      });
    const { ids, by } = frozen;
    const chosen: Taken["chosen"] = (facts) =>
      ids.has(by === "message_id" ? facts.message_id : letterKey(facts));
    const job = jobs.start(kind, (job, stop) => work({ frozen, chosen }, job, stop));
    selections.delete(id);
    return job;
  }

  return {
    async read() {
      const [size, facts] = await Promise.all([queues.letters.size(), recordedLetters(history)]);
      const groups = createGroups();
      // If the queue is empty, they were deleted, which the history does not record.
      if (size.visible + size.held > 0) for (const each of facts) groups.add(each);
      return { ...size, groups: groups.list(), source: history ? "history" : "none" };
    },
    sweep: () =>
      jobs.start("sweep", async (job, stop) => {
        const groups = createGroups();
        const found = new Map<string, string[]>();
        job.total = (await queues.letters.size()).visible;
        const onRead = (read: number) => void Object.assign(job, { read });
        const { end } = await readLetters(queues.letters, { most: MOST, stop, onRead }, (facts) => {
          groups.add(facts);
          found.set(facts.group, [...(found.get(facts.group) ?? []), facts.message_id]);
          job.groups = groups.list();
        });
        swept = found;
        job.done = job.read;
        job.complete = end === "empty";
      }),
    async select({ group, events }) {
      const frozen = await frozenOf(group, events);
      if (frozen.ids.size === 0)
        throw new AppError("dead-letter-missing", "nothing is selected: read the queue again");
      const selection = randomUUID();
      selections.set(selection, frozen);
      return { selection, count: frozen.ids.size, expires: new Date(frozen.expires).toISOString() };
    },
    selected({ selection }) {
      const { name = "", ids } = selections.get(String(selection)) ?? {};
      return { target: name, count: ids?.size ?? 0 };
    },
    redrive(body) {
      const rate = rateOf(body.rate);
      return use(body, "redrive", async ({ frozen, chosen }, job, stop) => {
        job.total = frozen.ids.size;
        const tally = emptyTally();
        const pace = createRateLimit({
          rate,
          now: Date.now,
          delay: (ms) => delay(ms, undefined, { signal: stop }).catch(() => {}),
          stop,
        });
        const told = () =>
          void Object.assign(job, { done: tally.sent, failed: tally.failed.length + tally.not_removed });
        const deps = {
          deadLetters: queues.letters,
          events: queues.events,
          pace: async (count: number) => {
            told();
            return pace(count);
          },
          now: Date.now,
          newId: randomUUID,
        };
        const onRead = (read: number) => void Object.assign(job, { read });
        const perCall = Math.max(1, Math.floor(rate));
        const { end } = await redrive(deps, { most: MOST, stop, onRead, chosen, perCall }, tally);
        told();
        job.complete = end === "empty";
        job.error = tally.failed[0]?.error ?? "";
      });
    },
    remove: (body) =>
      use(body, "delete", async ({ frozen, chosen }, job, stop) => {
        job.total = frozen.ids.size;
        const tally = { removed: 0, not_removed: 0 };
        const onRead = (read: number) =>
          void Object.assign(job, { read, done: tally.removed, failed: tally.not_removed });
        const options = { most: MOST, stop, onRead, chosen, before: frozen.made };
        const { end } = await removeLetters(queues.letters, options, tally);
        Object.assign(job, { done: tally.removed, failed: tally.not_removed, complete: end === "empty" });
      }),
  };

  async function frozenOf(group: unknown, events: unknown): Promise<Frozen> {
    const made = {
      name: typeof group === "string" ? group : "a choice of events",
      made: Date.now(),
      expires: Date.now() + SELECTION_MS,
    };
    if (Array.isArray(events))
      return { ...made, by: "event", ids: new Set(events.map((each) => rowKey(refIn(each)))) };
    if (typeof group !== "string")
      throw new AppError("request-invalid", "group is missing, or events", { field: "group" });
    if (swept) return { ...made, by: "message_id", ids: new Set(swept.get(group)) };
    const ofGroup = (await recordedLetters(history)).filter((facts) => facts.group === group);
    return { ...made, by: "event", ids: new Set(ofGroup.map(letterKey)) };
  }
}

function refIn(value: unknown): { api_id: string; id: string } {
  const { api_id, id } = (value ?? {}) as Record<string, unknown>;
  if (typeof api_id === "string" && typeof id === "string") return { api_id, id };
  throw new AppError("request-invalid", "events must be a list of {api_id, id}", { field: "events" });
}

function rateOf(rate: unknown): number {
  if (typeof rate === "number" && rate >= 0.1 && rate <= MAX_RATE) return rate;
  throw new AppError("request-invalid", `rate must be a number per second from 0.1 to ${MAX_RATE}`, {
    field: "rate",
  });
}
