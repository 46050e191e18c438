import { between, createDeck, pick, type Random } from "../helpers/random.ts";

/** One event that the queue accepts, and its required results. */
export interface ChaosEvent {
  id: string;
  /** The message's body, which is the only identity of malformed ones. */
  body: string;
  /** Its key; in a FIFO queue, the group whose order it keeps. */
  key: string;
  /** Handlers that must have their effect, and the shared sessions that must show it. */
  effects: Effect[];
  /** The possible reasons of an event that must end in the dead letters. */
  deadLetter?: readonly string[];
  /** The target that must receive it as a webhook of its own. */
  webhook?: string;
  /** The prefix of the line that must contain it. */
  line?: string;
  /** Handlers in whose windows it must count, once. */
  counted?: readonly string[];
}

export interface Effect {
  handler: string;
  sessions: string[];
  /** Exactly one of the sessions shows it: which one depends on the successful run. */
  inOne?: boolean;
}

const KINDS = [
  ...Array<"Count">(17).fill("Count"),
  ...Array<"Home">(30).fill("Home"),
  ...Array<"Wander">(8).fill("Wander"),
  ...Array<"Look">(6).fill("Look"),
  ...Array<"Move">(11).fill("Move"),
  ...Array<"Flaky">(7).fill("Flaky"),
  ...Array<"Hook">(4).fill("Hook"),
  ...Array<"Storm">(6).fill("Storm"),
  ...Array<"Gust">(4).fill("Gust"),
  ...Array<"Odd">(2).fill("Odd"),
  ...Array<"malformed">(2).fill("malformed"),
  "Poison",
  "Sting",
  "Loop",
] as const;

/**
 * Poison and Sting throw at each attempt. Their last attempt may also be stopped while it waits for a table's answer.
 */
const POISON_REASONS = ["handler-threw", "handler-timeout", "handler-killed"];

export type Kind = (typeof KINDS)[number];

/** They do not write the event's own session: in the end its ledger entry shows that they are done. */
export const LEDGER_HANDLERS: ReadonlySet<string> = new Set([
  ...["looker", "homer", "wanderer"],
  ...["webhook:hook", "log:hook", "webhook:gust", "log:gust"],
]);

/** The kinds of sessions that only the handlers of their own events write, by the prefix of their keys. */
const HOMES = ["home", "kept", "gone", "brief"] as const;

/** The kind of a counter: not touched by others, put with the API meanwhile, deleted with it, or sometimes expiring. */
function homeOf(counter: string): string {
  const nth = Number(counter.replace("counter-", ""));
  return counter.replace("counter", HOMES[Number.isNaN(nth) ? 0 : nth % HOMES.length] ?? "home");
}

/** The tag of a handler's effect in a session. */
export const effectOf = (id: string, handler: string) => `${id}/${handler}`;
export const eventOf = (effect: string) => effect.split("/")[0] ?? "";
export const markOf = (id: string) => `mark-${id}`;
/** The session in which the handler `windower` records the windows of a key. */
export const windowsOf = (key: string) => `windows-${key}`;
/** The key of an event's ledger entry, and the event of such a key: windows have entries too. */
export const entryOf = (id: string) => `event#chaos#${id}`;
export const idOfEntry = (pk: string) => /^event#chaos#(e\d+)$/.exec(pk)?.[1];

/** The share of the events with the same key; all gusts have it, so that their windows have many events. */
const HOT_SHARE = 0.1;
const HOT = "counter-hot";

/** Events of all kinds on this number of keys, the first ones more often, and on one additional hot key. */
export function createEvents(
  count: number,
  keys: number,
  random: Random,
  kinds: readonly Kind[] = KINDS,
): ChaosEvent[] {
  const kind = createDeck(random, kinds as [Kind]);
  const key = () => (random() < HOT_SHARE ? HOT : `counter-${Math.floor(random() ** 2 * keys)}`);
  return Array.from({ length: count }, (_, nth) => createEvent(`e${nth}`, kind(), key, random));
}

function createEvent(id: string, kind: Kind, anyKey: () => string, random: Random): ChaosEvent {
  const key = anyKey();
  const counter = { handler: "counter", sessions: [key] };
  const eventOn = (on: string, effects: Effect[], meta: object = {}): ChaosEvent => ({
    id,
    key: on,
    effects,
    body: bodyOf(id, kind, { Key: on, ...meta }, random),
  });
  const event = (effects: Effect[], meta?: object) => eventOn(key, effects, meta);
  const atHome = (effects: Effect[], meta?: object) => eventOn(homeOf(key), effects, meta);
  switch (kind) {
    case "Count":
      return event([counter]);
    case "Move": {
      const To = `moved-${anyKey()}`;
      return { ...event([{ handler: "mover", sessions: [key, To] }], { To }), line: "move" };
    }
    case "Home":
      return atHome([{ handler: "homer", sessions: [homeOf(key)] }]);
    case "Wander": {
      const To = `moved-${id}`;
      return atHome([{ handler: "wanderer", sessions: [homeOf(key), To], inOne: true }], { To });
    }
    case "Flaky":
      return {
        ...event([{ handler: "flaky", sessions: [key] }, counter], { Failures: between(random, 1, 2) }),
        webhook: "flaky",
      };
    case "Hook":
      return { ...event(inLedger("webhook:hook", "log:hook")), webhook: "hook", line: "hook" };
    case "Storm":
      return { ...event([counter]), counted: ["windower"] };
    case "Gust":
      return {
        ...eventOn(HOT, inLedger("webhook:gust", "log:gust")),
        counted: ["webhook:gust", "log:gust"],
      };
    case "Look":
      return event(inLedger("looker"));
    case "Odd":
      return event([{ handler: "odd", sessions: [key] }]);
    case "Loop":
      return event([{ handler: "looper", sessions: [key] }, counter]);
    case "Poison":
      return { ...event([counter]), deadLetter: POISON_REASONS };
    case "Sting":
      return { ...event([]), webhook: "sting", deadLetter: POISON_REASONS };
    case "malformed":
      return { ...event([]), body: pick(random, MALFORMED)(id), deadLetter: ["event-invalid"] };
  }
}

/** The effects of handlers that do not write sessions: the ledger shows that each is done. */
const inLedger = (...handlers: string[]): Effect[] => handlers.map((handler) => ({ handler, sessions: [] }));

/** One of the two formats that the queue accepts. */
function bodyOf(id: string, Type: string, meta: object, random: Random): string {
  const event = { Type, Meta: { Id: id, ...meta }, TimeStamp: "" };
  return JSON.stringify(random() < 0.8 ? { id, api_id: "chaos", event } : { id, api_id: "chaos", ...event });
}

const MALFORMED: [(id: string) => string, ...((id: string) => string)[]] = [
  (id) => `${id} {`,
  (id) => JSON.stringify([id]),
  (id) => JSON.stringify({ id, api_id: "chaos", event: { Meta: { Key: "counter-0" } } }),
  (id) => JSON.stringify({ id, api_id: "chaos", event: { Type: 7, Meta: {} } }),
  (id) => `${"[".repeat(300)}"${id}"${"]".repeat(300)}`,
];

/**
 * The number of messages before an event's second message: in the same batch, soon after, or when the event is done.
 */
const COPIES = {
  twin: [1, 1],
  near: [10, 20],
  late: [150, 400],
} as const;
const COPY_DECK = [...Array<"none">(22).fill("none"), "twin", "near", "late"] as const;

/** The messages in the order of sending: some events are sent twice. */
export function createMessages(events: ChaosEvent[], random: Random): ChaosEvent[] {
  const copy = createDeck(random, COPY_DECK as unknown as [(typeof COPY_DECK)[number]]);
  const placed = events.flatMap((event, place) => {
    const kind = copy();
    if (kind === "none") return [{ event, place }];
    const [min, max] = COPIES[kind];
    // Halves, so that a copy is sorted between two first messages.
    return [
      { event, place },
      { event, place: place + between(random, min, max) - 0.5 },
    ];
  });
  return placed.toSorted((a, b) => a.place - b.place).map(({ event }) => event);
}
