// Simplifications of the protocol of marks that would be cheaper, and are wrong: for each, a test shows the error.
import type { EntryWrite, SessionWrite, Write } from "../../lib/commit/commit.ts";
import type { ConsumerStore } from "../../lib/commit/store.ts";
import type { Marks } from "../../lib/sessions/item.ts";

export type ShortCut = (store: ConsumerStore) => ConsumerStore;

const withoutMarks = <W extends SessionWrite | EntryWrite>(write: W): W => {
  if (write.kind !== "session") return write;
  const { marks: _, ...rest } = write;
  return rest as W;
};

const withoutFences =
  (isLeftOut: (version: number) => boolean): ShortCut =>
  (store) => ({
    ...store,
    commit: (writes) =>
      store.commit(writes.filter((write) => write.kind !== "fence" || !isLeftOut(write.version))),
  });

/** Replaces a transaction that creates one session by two puts: the session with its mark, then the entry. */
async function created(store: ConsumerStore, writes: Write[]): Promise<{ conflicts: number[] }> {
  const [session, entry, ...others] = writes;
  if (session?.kind !== "session" || entry?.kind !== "ledger" || others.length > 0 || session.version > 0)
    return store.commit(writes);
  const marks: Marks = { ...session.marks, [entry.identity]: { done: entry.done } };
  const [made] = await store.put([{ ...session, marks }]);
  if (made?.is !== "written") return { conflicts: [0] };
  const [said] = await store.put([entry]);
  return { conflicts: said?.is === "written" ? [] : [1] };
}

export const SHORT_CUTS = {
  "no marks": (store) => ({ ...store, put: (writes) => store.put(writes.map(withoutMarks)) }),
  "marks that go without proof": (store) => ({
    ...store,
    async read(events, keys) {
      const found = await store.read(events, keys);
      const marks = [...found.sessions.values()].flatMap(({ marks = {} }) => Object.entries(marks));
      return { ...found, marked: new Map(marks.map(([identity, { done }]) => [identity, done])) };
    },
  }),
  "no fences": withoutFences(() => true),
  "no look at a home that is not there": withoutFences((version) => version <= 0),
  "the ledger read before the sessions": (store) => ({
    ...store,
    async read(events, keys) {
      const { ledger } = await store.read(events, []);
      return { ...(await store.read(events, keys)), ledger };
    },
  }),
  "an eventually consistent ledger": (store) => ({
    ...store,
    async read(events, keys) {
      const found = await store.read(events, keys);
      const none = { version: 0, done: [] };
      return { ...found, ledger: new Map([...found.ledger.keys()].map((identity) => [identity, none])) };
    },
  }),
  "a delete that drops marks": (store) => ({ ...store, proveMarks: async () => {} }),
  "a session that is made the cheap way": (store) => ({
    ...store,
    commit: (writes) => created(store, writes),
  }),
  "entries put without a condition": (store) => ({
    ...store,
    put: (writes) => Promise.all(writes.map((write) => forced(store, write))),
  }),
} satisfies Record<string, ShortCut>;

async function forced(store: ConsumerStore, write: SessionWrite | EntryWrite) {
  const [end = { is: "conflict" as const }] = await store.put([write]);
  if (write.kind === "session" || end.is !== "conflict") return end;
  const { ledger } = await store.read([{ identity: write.identity, id: write.identity }], []);
  return forced(store, { ...write, version: ledger.get(write.identity)?.version ?? 0 });
}
