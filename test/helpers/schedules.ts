// Runs consumers and people on the same tables, with their requests in random order. Each may stop at any request, as
// if it had died, and each answer may be lost.
import assert from "node:assert/strict";
import type { ConsumerStore } from "../../lib/commit/store.ts";
import { nextMarks } from "../../lib/sessions/item.ts";
import { adds, type Doing, deliver, nameOf, type TestEvent } from "./deliveries.ts";
import { createMemoryTable, type Hooks, type MemoryTable } from "./memory-table.ts";
import type { ShortCut } from "./short-cuts.ts";

const EVENTS: TestEvent[] = [
  { identity: "a#1", home: "k", handlers: ["h", "g"] },
  { identity: "a#2", home: "k", handlers: ["h"] },
  { identity: "a#3", home: "l", handlers: ["h"] },
];
/** The clock of the tests never reaches it: expired sessions are deleted when a schedule says so. */
const END = 4_000_000_000;

/** Makes the same choices for the same seed. https://en.wikipedia.org/wiki/Xorshift */
function choices(seed: number) {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  for (let warm = 0; warm < 4; warm += 1) next();
  return {
    chance: (of: number) => next() < of,
    pick: <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T,
    index: (length: number) => Math.floor(next() * length),
  };
}
type Choices = ReturnType<typeof choices>;

interface Waiting {
  what: string;
  go(): void;
}

/** Holds requests, and lets them continue one by one. */
function createScheduler({ chance, index }: Choices) {
  let waiting: Waiting[] = [];
  let failure: unknown;
  const trace: string[] = [];
  const step = (name: string, what: string) =>
    new Promise<void>((resolve) => waiting.push({ what: `${name}: ${what}`, go: resolve }));
  return {
    trace,
    step,
    start(work: Promise<unknown>) {
      work.catch((thrown: unknown) => {
        failure ??= thrown;
      });
    },
    /** Runs until there are no more requests. `crashes`: whether a request may never continue. */
    async run(crashes: boolean): Promise<void> {
      for (;;) {
        // First, all work is done that needs no further request.
        await new Promise(setImmediate);
        if (failure) throw failure;
        const [next] = waiting.splice(index(waiting.length), 1);
        if (!next) return;
        if (crashes && chance(0.04)) {
          trace.push(`${next.what} (never)`);
          continue;
        }
        trace.push(next.what);
        next.go();
      }
    },
    abandon() {
      waiting = [];
    },
  };
}
/** Counts how often each run was applied, and checks that no update is lost, for each write that takes effect. */
function audit(table: MemoryTable, removes: boolean) {
  const applied = new Map<string, number>();
  const count = (run: string) => applied.set(run, (applied.get(run) ?? 0) + 1);
  table.onWrite = (write, before) => {
    if (write.kind !== "session") return;
    const was = before?.session?.tags ?? [];
    const now = write.session?.tags ?? [];
    const by = write.changedBy?.handler ?? "";
    if (!write.session && by !== "api") count(`${by} ${write.key}`);
    for (const tag of now) if (!was.includes(tag)) count(`${tag} ${write.key}`);
    // If handlers remove sessions, a later one may create the session again without the earlier tags.
    if (!removes && by !== "api" && write.session)
      assert.deepEqual(now.slice(0, was.length), was, "an update was lost");
  };
  return applied;
}

const OTHERS = ["m", "n"];

/** What handlers do: usually what most handlers do, sometimes something else. */
function behaviour({ chance, pick }: Choices, removes: boolean): Doing {
  const mine = (event: TestEvent) =>
    pick([[event.home], [event.home], [pick(OTHERS)], [event.home, pick(OTHERS)]]);
  return async (buffer, run) => {
    if (chance(0.12)) return false;
    if (chance(0.15)) {
      await buffer.read(run.event.home);
      return true;
    }
    if (removes && chance(0.15)) {
      const changedBy = { handler: nameOf(run), event: "", event_id: "" };
      await buffer.write(run.event.home, { session: undefined, changedBy });
      return true;
    }
    return adds(...mine(run.event))(buffer, run);
  };
}

/** Somebody who deletes, creates or replaces a session with the API; or DynamoDB, which deletes an expired one. */
async function person(store: ConsumerStore, { pick }: Choices, table: MemoryTable): Promise<void> {
  const key = pick(["k", "l", "m"]);
  const what = pick(["delete", "make", "put", "end", "vanish"]);
  if (what === "vanish") {
    if (table.stored.get(key)?.ttl !== undefined) table.stored.delete(key);
    return;
  }
  const read = await store.readSession(key);
  const isThere = read.version > 0;
  const by = { version: read.version, changedBy: { handler: "api", event: "", event_id: "" } };
  if (what === "delete") {
    if (!isThere) return;
    if (read.marks) await store.proveMarks(read.marks);
    await store.commit([{ kind: "session", key, session: undefined, ...by }]);
    return;
  }
  if (isThere === (what === "make")) return;
  const end = what === "end" ? END : 0;
  const marks = await nextMarks(read, end, store.proveMarks);
  await store.commit([{ kind: "session", key, session: { ...read.session }, end, marks, ...by }]);
}

/** Tries one schedule. Throws with the steps that led to an error. */
export async function trySchedule(seed: number, shortCut: ShortCut = (store) => store): Promise<void> {
  const random = choices(seed);
  const { chance, pick, index } = random;
  const sessions = Object.fromEntries(["k", "l", "m"].filter(() => chance(0.8)).map((key) => [key, {}]));
  const table = createMemoryTable({ sessions, firstVersions: true });
  const removes = chance(0.5);
  const applied = audit(table, removes);
  const scheduler = createScheduler(random);
  const acknowledged = new Set<TestEvent>();
  const accepted = new Set<string>();
  const endOf = chance(0.2) ? () => (chance(0.3) ? END : 0) : () => 0;
  const doing = behaviour(random, removes);
  const options = {
    endOf,
    onAccepted: ({ identity }: TestEvent, handler: string) => accepted.add(`${identity} ${handler}`),
    onDone: (event: TestEvent) => acknowledged.add(event),
  };
  const reach = (name: string, lost: number): ConsumerStore => {
    const hooks: Hooks = { step: (what) => scheduler.step(name, what), isLost: () => chance(lost) };
    return shortCut(table.as(hooks));
  };
  const deliveries = 3 + index(4);
  for (let nth = 0; nth < deliveries; nth += 1) {
    const batch = chance(0.7) ? [pick(EVENTS)] : EVENTS.filter(() => chance(0.6));
    scheduler.start(deliver(reach(`consumer ${nth}`, 0.1), batch, doing, options));
  }
  for (let nth = index(3); nth > 0; nth -= 1)
    scheduler.start(person(reach(`person ${nth}`, 0), random, table));
  try {
    await scheduler.run(true);
    // At the end, each event is delivered to consumers that do not die.
    scheduler.abandon();
    for (let round = 0; round < 12; round += 1) {
      for (const event of EVENTS) {
        scheduler.start(deliver(reach(`last consumer ${round}`, 0), [event], doing, options));
        await scheduler.run(false);
      }
    }
    for (const [run, times] of applied) assert.equal(times, 1, `${run} was applied ${times} times`);
    for (const event of acknowledged)
      for (const handler of event.handlers)
        assert.ok(accepted.has(`${event.identity} ${handler}`), `${event.identity} ${handler} was never run`);
    for (const { identity, handlers } of EVENTS)
      for (const handler of handlers) assertOneRun(applied, identity, handler);
  } catch (thrown) {
    const steps = scheduler.trace.map((step, nth) => `${nth} ${step}`).join("\n");
    throw new Error(`seed ${seed}: ${String(thrown)}\n${steps}`, { cause: thrown });
  }
}

/** Several runs of a handler may have written different sessions: all applied changes must be from one of them. */
function assertOneRun(applied: Map<string, number>, identity: string, handler: string): void {
  const runs = new Set(
    [...applied.keys()]
      .filter((tag) => tag.startsWith(`${identity} ${handler} `))
      .map((tag) => tag.split(" ")[2]),
  );
  assert.ok(runs.size <= 1, `${runs.size} runs of ${identity} ${handler} were applied`);
}
