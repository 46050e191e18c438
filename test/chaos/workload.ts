import { between, createDeck, pick, type Random } from "../helpers/random.ts";

/** One event that the queue accepts, and what must be true of it in the end. */
export interface ChaosEvent {
  id: string;
  /** The message's body: malformed ones have no other identity. */
  body: string;
  /** Its key; in a FIFO queue, the group whose order it keeps. */
  key: string;
  /** Handlers that must have their effect, and the shared sessions that must show it. */
  effects: Effect[];
  /** For an event that must end in the dead letters: with one of these reasons. */
  deadLetter?: readonly string[];
}

export interface Effect {
  handler: string;
  sessions: string[];
  /** One of the sessions shows it, and no other: which one is known by the run that counts. */
  inOne?: boolean;
}

const KINDS = [
  ...Array<"Count">(26).fill("Count"),
  ...Array<"Home">(34).fill("Home"),
  ...Array<"Wander">(8).fill("Wander"),
  ...Array<"Look">(7).fill("Look"),
  ...Array<"Move">(11).fill("Move"),
  ...Array<"Flaky">(7).fill("Flaky"),
  ...Array<"Poison">(2).fill("Poison"),
  ...Array<"Odd">(2).fill("Odd"),
  ...Array<"malformed">(2).fill("malformed"),
  "Loop",
] as const;

/** It throws at each attempt that gets so far; the last may be stopped while it waits for a table's answer. */
const POISON_REASONS = ["handler-threw", "handler-timeout", "handler-killed"];

export type Kind = (typeof KINDS)[number];

/** They write no session of the event's own: its ledger entry says in the end that they are done. */
export const LEDGER_HANDLERS: ReadonlySet<string> = new Set(["looker", "homer", "wanderer"]);

/** What becomes of sessions that nothing but the handlers of their own events write, by the beginning of their keys. */
const HOMES = ["home", "kept", "gone", "brief"] as const;

/** The `home` of a counter: left alone, put by the API meanwhile, deleted by it, or with an end now and then. */
function homeOf(counter: string): string {
  const nth = Number(counter.replace("counter-", ""));
  return counter.replace("counter", HOMES[Number.isNaN(nth) ? 0 : nth % HOMES.length] ?? "home");
}

/** As what a handler's effect stands in a session's tags. */
export const effectOf = (id: string, handler: string) => `${id}/${handler}`;
export const eventOf = (effect: string) => effect.split("/")[0] ?? "";
export const markOf = (id: string) => `mark-${id}`;
const ENTRY = "event#chaos#";
/** The key of an event's ledger entry, and the event of such a key. */
export const entryOf = (id: string) => ENTRY + id;
export const idOfEntry = (pk: string) => (pk.startsWith(ENTRY) ? pk.slice(ENTRY.length) : undefined);

/** The share of the events that are all aimed at one key. */
const HOT_SHARE = 0.1;

/** Events of all kinds on this number of keys, the first ones more often, and on a hot one beside them. */
export function createEvents(
  count: number,
  keys: number,
  random: Random,
  kinds: readonly Kind[] = KINDS,
): ChaosEvent[] {
  const kind = createDeck(random, kinds as [Kind]);
  const key = () => (random() < HOT_SHARE ? "counter-hot" : `counter-${Math.floor(random() ** 2 * keys)}`);
  return Array.from({ length: count }, (_, nth) => createEvent(`e${nth}`, kind(), key, random));
}

function createEvent(id: string, kind: Kind, anyKey: () => string, random: Random): ChaosEvent {
  const key = anyKey();
  const counter = { handler: "counter", sessions: [key] };
  const event = (effects: Effect[], meta: object = {}): ChaosEvent => ({
    id,
    key,
    effects,
    body: bodyOf(id, kind, { Key: key, ...meta }, random),
  });
  const atHome = (effects: Effect[], meta: object = {}): ChaosEvent => ({
    ...event(effects),
    key: homeOf(key),
    body: bodyOf(id, kind, { Key: homeOf(key), ...meta }, random),
  });
  switch (kind) {
    case "Count":
      return event([counter]);
    case "Move": {
      const To = `moved-${anyKey()}`;
      return event([{ handler: "mover", sessions: [key, To] }], { To });
    }
    case "Home":
      return atHome([{ handler: "homer", sessions: [homeOf(key)] }]);
    case "Wander": {
      const To = `moved-${id}`;
      return atHome([{ handler: "wanderer", sessions: [homeOf(key), To], inOne: true }], { To });
    }
    case "Flaky":
      return event([{ handler: "flaky", sessions: [key] }, counter], { Failures: between(random, 1, 2) });
    case "Look":
      return event([{ handler: "looker", sessions: [] }]);
    case "Odd":
      return event([{ handler: "odd", sessions: [key] }]);
    case "Loop":
      return event([{ handler: "looper", sessions: [key] }, counter]);
    case "Poison":
      return { ...event([counter]), deadLetter: POISON_REASONS };
    case "malformed":
      return { ...event([]), body: pick(random, MALFORMED)(id), deadLetter: ["event-invalid"] };
  }
}

/** Either of the two forms that the queue takes. */
function bodyOf(id: string, Type: string, Meta: object, random: Random): string {
  const event = { Type, Meta, TimeStamp: "" };
  return JSON.stringify(random() < 0.8 ? { id, api_id: "chaos", event } : { id, api_id: "chaos", ...event });
}

const MALFORMED: [(id: string) => string, ...((id: string) => string)[]] = [
  (id) => `${id} {`,
  (id) => JSON.stringify([id]),
  (id) => JSON.stringify({ id, api_id: "chaos", event: { Meta: { Key: "counter-0" } } }),
  (id) => JSON.stringify({ id, api_id: "chaos", event: { Type: 7, Meta: {} } }),
  (id) => `${"[".repeat(300)}"${id}"${"]".repeat(300)}`,
];

/** How many messages later an event's second message is sent: in the same batch, about then, or when it is done. */
const COPIES = {
  twin: [1, 1],
  near: [10, 20],
  late: [150, 400],
} as const;
const COPY_DECK = [...Array<"none">(22).fill("none"), "twin", "near", "late"] as const;

/** The messages in the order of their sending: some events are sent twice. */
export function createMessages(events: ChaosEvent[], random: Random): ChaosEvent[] {
  const copy = createDeck(random, COPY_DECK as unknown as [(typeof COPY_DECK)[number]]);
  const placed = events.flatMap((event, place) => {
    const kind = copy();
    if (kind === "none") return [{ event, place }];
    const [min, max] = COPIES[kind];
    // Halves, so that a copy stands between two first messages.
    return [
      { event, place },
      { event, place: place + between(random, min, max) - 0.5 },
    ];
  });
  return placed.toSorted((a, b) => a.place - b.place).map(({ event }) => event);
}
