import { setTimeout as delay } from "node:timers/promises";
import { createEventList } from "../../lib/history/event-list.ts";
import { type EventRow, rowKey } from "../../lib/history/event-rows.ts";
import { parseFilter } from "../../lib/history/filter.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import { findLiveStack } from "../dev/local-stack.ts";
import { findEvent, openReader } from "../events-open.ts";
import { eventLines, shortId } from "../events-rows.ts";
import { postEvent } from "../post-event.ts";
import { type Body, type BodyOptions, bodiesOf } from "../send-body.ts";
import { countOf } from "../terminal/count.ts";
import { interruption } from "../terminal/interrupt.ts";
import { lineWidth } from "../terminal/layout.ts";
import { print, printErrorText, printJson, printText } from "../terminal/print.ts";
import { wholeLines } from "./events-show.ts";

/** `wait` waits up to a minute for the outcomes; without `rate`, the number of events per second is not limited. */
export interface SendOptions extends BodyOptions {
  /** The number of repetitions, each as a new event. */
  repeat: number;
  /** Events per second. */
  rate?: number;
  wait?: boolean;
  json?: boolean;
}

interface Sent {
  id: string;
  api_id: string;
  type: string;
}

/** `gatehook send`: sends events to the ingest of `gatehook dev`, as a gateway does. */
export async function send(type: string | undefined, options: SendOptions): Promise<void> {
  const stop = interruption();
  const { dir, stack } = await findLiveStack(options.dir);
  const bodies = await bodiesOf(type, options, dir);
  // Fails before an event is sent.
  if (options.wait) openReader(options);
  const pause = (ms: number) => delay(ms, undefined, { signal: stop }).catch(() => {});
  const pace = createRateLimit({
    rate: options.rate ?? Number.POSITIVE_INFINITY,
    now: Date.now,
    delay: pause,
    stop,
  });
  const sent: Sent[] = [];
  for (let time = 0; time < options.repeat && !stop.aborted; time += 1)
    for (const body of bodies) if (await pace(1)) sent.push(await post(stack.url, body, stop));
  if (options.wait) await tellOutcomes(sent, options, stop);
  else if (options.json) printJson({ events: sent });
  else tellSent(sent);
}

async function post(url: string, body: Body, stop: AbortSignal): Promise<Sent> {
  return { id: await postEvent(url, body, stop), api_id: body.api_id, type: body.event.Type };
}

function tellSent(sent: Sent[]): void {
  const [first, ...more] = sent;
  if (!first) return;
  if (more.length > 0)
    printText(`${countOf(sent.length, "event")} sent: gatehook events ls shows their outcomes`);
  else
    printText(
      `${first.type} for API ${first.api_id} sent as event ${first.id}: gatehook events show ${shortId(first.id)} shows its outcome`,
    );
}

const WAIT_MS = 60_000;
const LOOK_MS = 50;

/** It will be retried, and the result of its handlers is not known yet. */
const OPEN: ReadonlySet<EventRow["outcome"]> = new Set(["queued", "conflict", "unstarted", "handed-back"]);

async function tellOutcomes(sent: Sent[], options: SendOptions, stop: AbortSignal): Promise<void> {
  const rows = await outcomesOf(sent, options, stop);
  const late = sent.length - rows.length;
  if (late > 0 || rows.some(({ outcome }) => outcome !== "done")) process.exitCode = 1;
  const [first] = rows;
  if (options.json) printJson({ events: rows, late });
  else if (first && sent.length === 1)
    print(...wholeLines(await findEvent(first.id, { ...options, api: first.api_id })));
  else print(...eventLines(rows, lineWidth()));
  if (late > 0)
    printErrorText(
      `${countOf(late, "event")} without an outcome after ${WAIT_MS / 1_000} s: is gatehook dev recording (--history)?`,
    );
}

/** The outcomes within a minute, in the order in which the events were sent. */
async function outcomesOf(sent: Sent[], options: SendOptions, stop: AbortSignal): Promise<EventRow[]> {
  const reader = openReader(options);
  const list = createEventList(parseFilter("", 0));
  const ended = new Map<string, EventRow>();
  const wanted = new Set(sent.map(rowKey));
  const until = performance.now() + WAIT_MS;
  for (;;) {
    for await (const line of reader.read()) {
      const row = list.add(line);
      if (wanted.has(rowKey(row)) && !OPEN.has(row.outcome)) ended.set(rowKey(row), row);
    }
    if (ended.size >= wanted.size || performance.now() > until || stop.aborted) break;
    await delay(LOOK_MS, undefined, { signal: stop }).catch(() => {});
  }
  return sent.flatMap((one) => ended.get(rowKey(one)) ?? []);
}
