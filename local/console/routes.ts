import { setTimeout as delay } from "node:timers/promises";
import type { Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { EventPage, TailMessage } from "../../console/answers.ts";
import { AppError } from "../../lib/errors.ts";
import { auditedChanges } from "../../lib/history/audit.ts";
import { testCaseOf, testCaseText } from "../../lib/history/test-case.ts";
import { isObject, parsedJson } from "../../lib/json.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import { changedByWriter } from "../../lib/sessions/item.ts";
import { checkedEvent, invalid, known, objectIn, there, wholeNumber } from "./asked.ts";
import { audited, type Doing } from "./audit.ts";
import type { Backend, Sender, Sessions } from "./backend.ts";
import { createDeadLetterDesk } from "./dead-letters.ts";
import { attemptOf, findEvent, pageOf, shownAttempt, wholeEvent } from "./events.ts";
import type { Jobs } from "./jobs.ts";
import { OPENAPI } from "./openapi.ts";
import { overviewOf } from "./overview.ts";
import { diffReleases, listReleases, rollBackTo } from "./releases.ts";
import { compare, sessionHistory } from "./sessions.ts";
import { countsOf, liveRelease, stateOf } from "./state.ts";
import { createTail } from "./tail.ts";

/** Adds the routes of every console: its description, state, overview and jobs. */
export function addSharedRoutes(api: Hono, backend: Backend, jobs: Jobs): void {
  api.get("/openapi.json", (c) => c.json(OPENAPI));
  api.get("/state", async (c) => c.json(await stateOf(backend)));
  api.get("/overview", async (c) =>
    c.json(await overviewOf(backend, c.req.query("window") ?? "1h", Date.now())),
  );
  api.get("/jobs/:id", (c) => c.json(jobs.get(c.req.param("id"))));
  api.delete("/jobs/:id", (c) => c.json(jobs.stop(c.req.param("id"))));
}

const MAX_PAGE = 10_000;
const PAGE = 200;

/** Events, their live tail, sending and saved tests. `path-unknown` where the backend has no such part. */
export function addEventRoutes(api: Hono, backend: Backend): void {
  const recorded = () => there(backend.history, "events");
  const sender = () => there(backend.sender, "sending events");

  api.get("/events", async (c) => {
    const { q, cursor, limit } = known(c, ["q", "cursor", "limit"]);
    const answer: EventPage = await pageOf(recorded(), {
      q,
      cursor,
      limit: wholeNumber("limit", limit, PAGE, MAX_PAGE),
    });
    return c.json(answer);
  });
  api.get("/events/:id", async (c) => c.json(await wholeEvent(recorded(), named(c))));
  api.get("/events/:id/attempts/:n", async (c) => {
    const nth = wholeNumber("n", c.req.param("n"), 1, 1_000);
    return c.json(await shownAttempt(recorded(), await attemptOf(recorded().index, named(c), nth)));
  });
  api.get("/events/:id/export", async (c) => {
    const attempt = await attemptOf(recorded().index, named(c));
    return c.body(testCaseText(testCaseOf(attempt)), 200, { "content-type": "application/json" });
  });
  api.get("/tail", (c) => tail(c, backend));

  api.get("/types", async (c) => {
    const { api: apiId, key } = known(c, ["api", "key"]);
    return c.json(await sender().types(apiId, key));
  });
  api.post("/events/check", async (c) => {
    eventsIn(await objectIn(c));
    return c.json({ ok: true });
  });
  api.post("/events", async (c) => {
    const body = await objectIn(c);
    const ids = await sendAll(sender(), body, c.req.raw.signal);
    return c.json({ ids }, 202);
  });
  api.post("/events/:id/send", async (c) => {
    const { edit } = await objectIn(c);
    const attempt = await attemptOf(recorded().index, named(c));
    const event = edit === undefined ? attempt.event : checkedEvent(edit, attempt.api_id, "edit").event;
    return c.json({ id: await sender().send({ api_id: attempt.api_id, event }) }, 202);
  });
  api.post("/tests", async (c) => {
    const save = there(backend.saveTest, "saving tests");
    const { event, api: apiId, attempt, name } = await objectIn(c);
    if (typeof event !== "string") throw invalid("event", "is missing: the id of an event");
    if (typeof name !== "string") throw invalid("name", "is missing: the name of the test");
    const found = findEvent(recorded().index, event, typeof apiId === "string" ? apiId : undefined);
    const nth = typeof attempt === "number" ? attempt : undefined;
    return c.json({ path: await save(await attemptOf(recorded().index, found, nth), name) }, 201);
  });

  function named(c: Context) {
    const { api: apiId } = known(c, ["api"]);
    return findEvent(recorded().index, c.req.param("id") ?? "", apiId);
  }
}

const KEEP_ALIVE_MS = 10_000;

/** Server-sent events, which the page reads with `fetch`, since it has to send a token. */
async function tail(c: Context, backend: Backend): Promise<Response> {
  const { streamSSE } = await import("hono/streaming");
  const { q = "", since } = known(c, ["q", "since"]);
  const follow = backend.history && (await createTail(backend.history, q, since));
  return streamSSE(c, async (stream) => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const send = (message: TailMessage, id?: string) =>
      void stream
        .writeSSE({ event: message.type, data: JSON.stringify(message), ...(id && { id }) })
        .catch(end);
    const tellRelease = () =>
      void liveRelease(backend).then(
        (release) => send({ type: "release", release }),
        () => {},
      );
    let told = "";
    const tellCounts = async () => {
      const counts = await countsOf(backend);
      const text = JSON.stringify(counts);
      if (text !== told) send({ type: "counts", counts });
      told = text;
    };
    const counts = setInterval(() => void tellCounts(), 1_000);
    // Lets a page notice that its connection is dead.
    const alive = setInterval(() => void stream.write(": \n\n").catch(end), KEEP_ALIVE_MS);
    const stopPins = backend.reruns?.onPins(() => send({ type: "pins", pins: backend.reruns?.pins() ?? [] }));
    const stopReleases = backend.releases?.onChange(tellRelease);
    stream.onAbort(end);
    try {
      await stream.write(": \n\n");
      await follow?.start(send);
      await tellCounts();
      await over;
    } finally {
      clearInterval(counts);
      clearInterval(alive);
      follow?.stop();
      stopReleases?.();
      stopPins?.();
    }
  });
}

/** Sessions with the rules of the sessions API. A change needs `If-Match`, or `If-None-Match: *`. */
export function addSessionRoutes(api: Hono, backend: Backend): void {
  const sessions = () => there(backend.sessions, "sessions");
  const ask = async (c: Context, method: "GET" | "PUT" | "DELETE", path: "" | "/{key+}", body = "") => {
    const {
      status,
      headers,
      body: text,
    } = await sessions()({
      route: `${method} /sessions${path}`,
      key: path === "" ? "" : (c.req.param("key") ?? ""),
      query: c.req.query(),
      ifMatch: c.req.header("if-match"),
      ifNoneMatch: c.req.header("if-none-match"),
      body,
      changedBy: changedByWriter("console", backend.who),
    });
    return c.body(text, status as ContentfulStatusCode, { ...headers, "content-type": "application/json" });
  };
  /** Users cannot overwrite a version that they have not seen. */
  const mustMatch = (c: Context) => {
    if (c.req.header("if-match") === undefined && c.req.header("if-none-match") !== "*")
      throw invalid("if-match", "is missing: the entity tag that the session was read with");
  };

  api.post("/sessions/compare", async (c) => c.json(compare(await objectIn(c))));
  api.get("/sessions", (c) => ask(c, "GET", ""));
  api.get("/sessions/:key", (c) => ask(c, "GET", "/{key+}"));
  api.put("/sessions/:key", async (c) => {
    mustMatch(c);
    const body = await c.req.text();
    return audited(
      backend,
      () => savingOf(sessions(), c, body),
      () => ask(c, "PUT", "/{key+}", body),
    );
  });
  api.delete("/sessions/:key", (c) => {
    mustMatch(c);
    return audited(
      backend,
      () => ({ what: "delete session", ...seen(c) }),
      () => ask(c, "DELETE", "/{key+}"),
    );
  });
  api.get("/sessions/:key/history", async (c) =>
    c.json(await sessionHistory(there(backend.history, "events"), c.req.param("key"))),
  );
}

/** Releases, their differences, and rollback. */
export function addReleaseRoutes(api: Hono, backend: Backend): void {
  const releases = () => there(backend.releases, "releases");
  api.get("/releases", async (c) => c.json(await listReleases(releases(), backend)));
  api.get("/releases/:a/diff/:b", async (c) =>
    c.json(await diffReleases(releases(), c.req.param("a"), c.req.param("b"))),
  );
  api.post("/releases/:version/rollback", async (c) => {
    const { expect_live } = await objectIn(c);
    const target = c.req.param("version");
    const answer = await audited(
      backend,
      () => ({ what: "roll back", target, before: String(expect_live) }),
      () => rollBackTo(releases(), target, expect_live),
    );
    return c.json(answer);
  });
}

/** The session, and the version that the user has seen. */
function seen(c: Context): { key: string; before?: string } {
  const version = c.req.header("if-match")?.replaceAll('"', "");
  return { key: c.req.param("key") ?? "", ...(version && { before: version }) };
}

/** The changes of a session's new text; an invalid one is rejected later. */
async function savingOf(sessions: Sessions, c: Context, text: string): Promise<Doing> {
  const { key, ...before } = seen(c);
  const route = "GET /sessions/{key+}";
  const request = {
    route,
    key,
    query: {},
    ifMatch: undefined,
    body: "",
    changedBy: changedByWriter("console"),
  };
  const stored = await sessions(request).catch((thrown: unknown) => {
    if (thrown instanceof AppError && thrown.code === "session-missing") return { body: "{}" };
    throw thrown;
  });
  const [was, is] = [stored.body, text].map(membersIn);
  return { what: "save session", key, ...before, ...(was && is && { changes: auditedChanges(was, is) }) };
}

function membersIn(text: string): Record<string, unknown> | undefined {
  const value = parsedJson(text);
  return isObject(value) ? value : undefined;
}

/** Dead letters. Long operations answer 202 with a job. */
export function addDeadLetterRoutes(api: Hono, backend: Backend, jobs: Jobs): void {
  const opened = backend.deadLetters && createDeadLetterDesk(backend, backend.deadLetters, jobs);
  const desk = () => there(opened, "dead letters");
  api.get("/dead-letters", async (c) => c.json(await desk().read()));
  api.post("/dead-letters/sweep", (c) => c.json(desk().sweep(), 202));
  api.post("/selections", async (c) => c.json(await desk().select(await objectIn(c)), 201));
  api.post("/dead-letters/redrive", async (c) => {
    const body = await objectIn(c);
    const doing = (): Doing => ({ what: "redrive dead letters", ...desk().selected(body) });
    return c.json(await audited(backend, doing, () => desk().redrive(body)), 202);
  });
  api.post("/dead-letters/delete", async (c) => {
    const body = await objectIn(c);
    const doing = (): Doing => ({ what: "delete dead letters", ...desk().selected(body) });
    return c.json(await audited(backend, doing, () => desk().remove(body)), 202);
  });
}

const MAX_TIMES = 1_000;
const MAX_RATE = 1_000;

/**
 * `{events: [{api_id, event}], times?, rate?}`: sends each event the given number of times, each time as a new event.
 */
async function sendAll(sender: Sender, body: Record<string, unknown>, stop: AbortSignal): Promise<string[]> {
  const events = eventsIn(body);
  const { times = 1, rate = MAX_RATE } = body;
  if (!Number.isInteger(times) || Number(times) < 1 || Number(times) * events.length > MAX_TIMES)
    throw invalid("times", `must be a whole number from 1, and ${MAX_TIMES} events in all at most`);
  if (typeof rate !== "number" || !(rate >= 0.1 && rate <= MAX_RATE))
    throw invalid("rate", `must be a number per second from 0.1 to ${MAX_RATE}`);
  const pause = (ms: number) => delay(ms, undefined, { signal: stop }).catch(() => {});
  const pace = createRateLimit({ rate, now: Date.now, delay: pause, stop });
  const ids: string[] = [];
  for (let time = 0; time < Number(times); time += 1)
    for (const event of events) if (await pace(1)) ids.push(await sender.send(event));
  return ids;
}

function eventsIn({ events }: Record<string, unknown>) {
  if (!Array.isArray(events) || events.length === 0)
    throw invalid("events", "must be a list of {api_id, event}");
  return events.map((each, at) => {
    const { api_id, event } = (each ?? {}) as Record<string, unknown>;
    return checkedEvent(event, api_id, `events[${at}]`);
  });
}
