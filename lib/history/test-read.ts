import { createNearest } from "../apis/nearest.ts";
import { AppError } from "../errors.ts";
import { parseEvent } from "../events/event.ts";
import { isObject, valueIn } from "../json.ts";
import { parseSession } from "../sessions/session.ts";
import { type HttpAnswer, parseExactly, type TestCase } from "./test-case.ts";

/** The place of a value in a test, such as `["expect", "logs", 0]`. */
export type Place = (string | number)[];

/** An error in the text of a test, with its place. */
export class Misfit extends AppError {
  readonly place: Place;
  constructor(place: Place, message: string) {
    const name = place.reduce<string>(
      (path, part) => (typeof part === "number" ? `${path}[${part}]` : path ? `${path}.${part}` : part),
      "",
    );
    super("request-invalid", [name, message].filter(Boolean).join(" "), { field: name });
    this.place = place;
  }
}

type Check = (value: unknown, place: Place) => void;
type Members = Record<string, Check>;

const text: Check = (value, place) => {
  if (typeof value !== "string") throw new Misfit(place, "must be a text");
};
const count: Check = (value, place) => {
  if (!Number.isInteger(value) || Number(value) < 1) throw new Misfit(place, "must be a whole number from 1");
};
const time: Check = (value, place) => {
  const isTime = typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);
  if (!isTime || Number.isNaN(Date.parse(value)))
    throw new Misfit(place, "must be a time in UTC, such as 2026-12-24T18:00:00.000Z");
};
const anything: Check = () => {};
const oneOf =
  (...words: string[]): Check =>
  (value, place) => {
    if (typeof value !== "string" || !words.includes(value))
      throw new Misfit(place, `must be one of ${words.join(", ")}`);
  };
const listOf =
  (of: Check): Check =>
  (value, place) => {
    if (!Array.isArray(value)) throw new Misfit(place, "must be a list");
    for (const [at, each] of value.entries()) of(each, [...place, at]);
  };
const mapOf =
  (of: Check): Check =>
  (value, place) => {
    if (!isObject(value)) throw new Misfit(place, "must be an object");
    for (const [name, each] of Object.entries(value)) of(each, [...place, name]);
  };

function object(members: Members, required: string[] = []): Check {
  const nearest = createNearest(Object.keys(members));
  return (value, place) => {
    if (!isObject(value)) throw new Misfit(place, "must be an object");
    for (const [name, each] of Object.entries(value)) {
      const check = valueIn(members, name);
      if (check) check(each, [...place, name]);
      else {
        const near = nearest(name);
        const instead = near ? `did you mean ${near}?` : `there is ${Object.keys(members).join(", ")}`;
        throw new Misfit([...place, name], `is no member of a test: ${instead}`);
      }
    }
    for (const name of required)
      if (value[name] === undefined) throw new Misfit([...place, name], "is missing");
  };
}

const clock = listOf((value, place) => {
  if (!Number.isInteger(value)) throw new Misfit(place, "must be a whole number of milliseconds");
});
const seed: Check = (value, place) => {
  if (typeof value !== "string" || !/^[0-9a-f]{1,16}$/.test(value))
    throw new Misfit(place, "must have 1 to 16 hex digits");
};

/** With the same rules as for an event of a gateway, or a session of a script. */
function parsedBy(parse: (text: string) => unknown): Check {
  return (value, place) => {
    try {
      parse(JSON.stringify(value));
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      throw new Misfit(place, `is not fit: ${thrown.message}`);
    }
  };
}
const event = parsedBy((json) => parseEvent(json, { apiId: "test", fallbackId: "test" }));
const session = parsedBy(parseSession);

const checkCase = object(
  {
    api_id: text,
    event,
    event_id: text,
    attempt: count,
    now: time,
    took: listOf(object({ handler: text, clock, seed }, ["handler"])),
    sessions: mapOf(session),
    http: listOf(
      object(
        {
          call: oneOf("makeHttpRequest", "batchRequest"),
          request: anything,
          answer: anything,
          error: text,
        },
        ["request"],
      ),
    ),
    storage: listOf(object({ args: listOf(text), answer: anything }, ["args"])),
    expect: object({
      outcome: oneOf("done", "failed"),
      reason: text,
      error: text,
      logs: listOf(object({ handler: text, level: text, text }, ["text"])),
      http: listOf(text),
      sessions: mapOf((value, place) => value === null || session(value, place)),
    }),
  },
  ["api_id", "event"],
);

/** The default time of a test. */
const NOW = "2026-01-01T00:00:00.000Z";

type Written = Pick<TestCase, "api_id" | "event"> &
  Partial<Omit<TestCase, "http">> & { http?: (Partial<HttpAnswer> & { request: unknown })[] };

/** Throws a Misfit with the place of the error. */
export function readTestCase(json: string): TestCase {
  const written = readJson(json) as Written;
  checkCase(written, []);
  const body = JSON.stringify(written.event);
  return {
    event_id: "test",
    attempt: 1,
    now: NOW,
    took: [],
    sessions: {},
    storage: [],
    expect: { outcome: "done" },
    ...written,
    event: parseEvent(body, { apiId: written.api_id, fallbackId: "test" }).event,
    http: (written.http ?? []).map((answer) => ({ call: "makeHttpRequest", answer: null, ...answer })),
  };
}

function readJson(json: string): unknown {
  try {
    return parseExactly(json.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new Misfit([], `is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
}
