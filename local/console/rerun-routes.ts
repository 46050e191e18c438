import type { Context, Hono } from "hono";
import { type EventRow, rowKey } from "../../lib/history/event-rows.ts";
import { checkedEvent, invalid, known, objectIn, there } from "./asked.ts";
import type { Backend } from "./backend.ts";
import { letterKey, recordedLetters } from "./dead-letters.ts";
import { findEvent, ranAttempt } from "./events.ts";
import type { Jobs } from "./jobs.ts";

const MOST_TRIED = 500;

/** Reruns change nothing, so a read-only console offers them too. */
export function addRerunRoutes(api: Hono, backend: Backend, jobs: Jobs): void {
  const reruns = () => there(backend.reruns, "running events again");
  const index = () => there(backend.history, "events").index;
  const named = (c: Context) => findEvent(index(), c.req.param("id") ?? "", known(c, ["api"]).api);

  api.post("/events/:id/rerun", async (c) => {
    const { attempt, release = "working", http = "recorded", edit } = await objectIn(c);
    if (typeof release !== "string" || release === "")
      throw invalid("release", "must be a version, live or working");
    if (http !== "recorded" && http !== "live") throw invalid("http", "must be recorded or live");
    const nth = typeof attempt === "number" ? attempt : undefined;
    const recorded = await ranAttempt(index(), named(c), nth);
    if (edit === undefined) return c.json(await reruns().run(recorded, release, http));
    const { event } = checkedEvent(edit, recorded.api_id, "edit");
    const { why, ...told } = await reruns().run({ ...recorded, event }, release, http);
    return c.json({
      ...told,
      exact: false,
      grade: "inputs",
      why: [...why, "its event was changed"],
    });
  });
  api.post("/events/:id/pin", async (c) => {
    const { on } = await objectIn(c);
    if (typeof on !== "boolean") throw invalid("on", "must be true or false");
    reruns().pin(await ranAttempt(index(), named(c)), on);
    return c.json({ pins: reruns().pins() });
  });
  api.post("/releases/:version/try", async (c) => {
    const { last = 50 } = await objectIn(c);
    const version = c.req.param("version");
    const most = numberIn("last", last);
    return c.json(
      startTry(version, (row) => row.handlers.length > 0, most),
      202,
    );
  });
  api.post("/dead-letters/try", async (c) => {
    const { group, count = 20 } = await objectIn(c);
    if (typeof group !== "string") throw invalid("group", "is missing");
    const most = numberIn("count", count);
    const ofGroup = await recordedLetters(there(backend.history, "events"));
    const keys = new Set(ofGroup.filter((facts) => facts.group === group).map(letterKey));
    return c.json(
      startTry("live", (row) => keys.has(rowKey(row)), most),
      202,
    );
  });

  function startTry(release: string, fits: (row: EventRow) => boolean, most: number) {
    const port = reruns();
    const events = index()
      .events()
      .filter(({ row }) => fits(row))
      .slice(0, most);
    return jobs.start("try", async (job, stop) => {
      job.total = events.length;
      const attempts = await Promise.all(events.map((event) => ranAttempt(index(), event)));
      await port.tryAll(
        attempts,
        release,
        (told) => {
          job.read += 1;
          if (told.verdict === "same" || told.verdict === "done") job.done += 1;
          else job.failed += 1;
          if (told.verdict !== "same") job.tried.push(told);
        },
        stop,
      );
      job.complete = true;
    });
  }

  function numberIn(field: string, value: unknown): number {
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MOST_TRIED)
      return value;
    throw invalid(field, `must be a whole number from 1 to ${MOST_TRIED}`);
  }
}
