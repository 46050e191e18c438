import { type Signal, signal } from "@preact/signals";
import type { EventRow } from "../lib/history/event-rows.ts";
import type { Counts, EventPage, LiveRelease, TailMessage } from "./answers.ts";
import { get, messageOf, RequestError, request } from "./api.ts";
import { behindBy, link, lostSince, readState, say, state } from "./state.ts";

const keyOf = ({ api_id, id }: { api_id: string; id: string }) => `${api_id}#${id}`;

/** The keys of the shown rows, the newest first. */
export const order = signal<string[]>([]);
/** The keys of new events that are not shown yet. */
export const waiting = signal<string[]>([]);
export const found = signal(0);
export const isComplete = signal(false);
export const isPaused = signal(false);
export const problem = signal("");
/** The row to which keys apply. */
export const cursor = signal<string | undefined>(undefined);
/** Whether the list is scrolled to the top: only then may new rows move it. */
export const isAtTop = signal(true);

/** In a signal for each row, so that a change repaints only that row. */
const rows = new Map<string, Signal<EventRow>>();
/** Changes when a row is added. */
const added = signal(0);
export const rowOf = (key: string): Signal<EventRow> | undefined => rows.get(key);

/** The row of an event that may not be in the list yet: repaints when it is added, and when it changes. */
export function awaitedRow(key: string): EventRow | undefined {
  added.value;
  return rows.get(key)?.value;
}
export { keyOf };

const FIRST_PAGE = 300;
const PAGE = 2_000;
const MOST_ROWS = 20_000;

let filter = "";
let position = "";
let loading: AbortController | undefined;
let stream: AbortController | undefined;

/** Shows the events that match a filter, and follows them. */
export async function show(q: string): Promise<void> {
  filter = q;
  loading?.abort();
  const mine = new AbortController();
  loading = mine;
  const ask = (limit: number, from: string | null) =>
    get<EventPage>(
      `/events?${new URLSearchParams({ limit: String(limit), ...(q && { q }), ...(from && { cursor: from }) })}`,
      mine.signal,
    );
  try {
    const first = await ask(FIRST_PAGE, null);
    problem.value = "";
    rows.clear();
    waiting.value = [];
    behindBy.value = 0;
    order.value = first.events.map(keep);
    found.value = first.found;
    position = first.position;
    isComplete.value = first.cursor === null;
    void follow();
    for (let next = first.cursor; next !== null; ) {
      const page = await ask(PAGE, next);
      const more = page.events.filter((row) => !rows.has(keyOf(row))).map(keep);
      order.value = [...order.value, ...more];
      next = page.cursor;
    }
    isComplete.value = true;
  } catch (thrown) {
    if (mine.signal.aborted) return;
    problem.value = messageOf(thrown);
    if (thrown instanceof RequestError && thrown.status === 0) void follow();
  }
}

function keep(row: EventRow): string {
  const key = keyOf(row);
  const known = rows.get(key);
  if (known) known.value = row;
  else {
    rows.set(key, signal(row));
    added.value += 1;
  }
  return key;
}

/** New rows are added on top if the list is scrolled to the top, and wait otherwise. */
function take(news: EventRow[]): void {
  const fresh = news.filter((row) => !rows.has(keyOf(row)));
  for (const row of news) keep(row);
  if (fresh.length === 0) return;
  const keys = fresh.sort((a, b) => (a.at < b.at ? 1 : -1)).map(keyOf);
  found.value += keys.length;
  waiting.value = [...keys, ...waiting.value];
  if (isAtTop.value && cursor.value === undefined && !isPaused.value) showWaiting();
  const failed = fresh.filter(({ outcome }) => outcome === "failed").length;
  say(() => `${fresh.length} new events${failed > 0 ? `, ${failed} failed` : ""}`);
}

export function showWaiting(): void {
  if (behindBy.value > 0) return void show(filter);
  const all = [...waiting.value, ...order.value];
  for (const key of all.splice(MOST_ROWS)) rows.delete(key);
  order.value = all;
  waiting.value = [];
}

const REREAD_MS = 1_000;
let reread = 0;

function heard(message: TailMessage): void {
  switch (message.type) {
    case "rows":
      take(message.rows);
      // A row that no longer matches stays visible, with its new values.
      for (const row of message.left) if (rows.has(keyOf(row))) keep(row);
      return;
    case "behind":
      behindBy.value += message.count;
      link.value = "behind";
      if (reread !== 0) return;
      reread = setTimeout(() => {
        reread = 0;
        if (isAtTop.value && cursor.value === undefined && !isPaused.value) void show(filter);
      }, REREAD_MS) as unknown as number;
      return;
    case "reset":
      return void show(filter);
    case "release":
      release(message.release);
      return;
    case "pins":
      if (state.value) state.value = { ...state.value, pins: message.pins };
      return;
    case "counts":
      counts(message.counts);
  }
}

const changed = new Set<() => void>();
/** Called when another release goes live, or when one is rejected. */
export function onRelease(listener: () => void): () => void {
  changed.add(listener);
  return () => changed.delete(listener);
}

function release(now: LiveRelease): void {
  if (state.value) state.value = { ...state.value, release: now };
  for (const listener of changed) listener();
}

function counts(now: Counts): void {
  if (state.value) state.value = { ...state.value, counts: now };
}

const RETRY_MS = [500, 1_000, 2_000, 4_000];
let tries = 0;
let retry = 0;

/** Opens the stream of changes. A hidden page has none. */
export async function follow(): Promise<void> {
  stream?.abort();
  clearTimeout(retry);
  if (document.hidden) return;
  const mine = new AbortController();
  stream = mine;
  try {
    const query = new URLSearchParams({ ...(filter && { q: filter }), ...(position && { since: position }) });
    const answer = await request("GET", `/tail?${query}`, { signal: mine.signal });
    if (link.value === "lost") void readState().catch(() => {});
    tries = 0;
    link.value = isPaused.value ? "paused" : "live";
    for await (const { data, id } of eventsOf(answer)) {
      if (id !== "") position = id;
      heard(JSON.parse(data) as TailMessage);
    }
    throw new Error("the stream ended");
  } catch (thrown) {
    if (mine.signal.aborted) return;
    if (thrown instanceof RequestError && thrown.status === 401) return;
    if (link.value !== "lost") lostSince.value = Date.now();
    link.value = "lost";
    retry = setTimeout(follow, RETRY_MS[tries] ?? 4_000) as unknown as number;
    tries += 1;
  }
}

/** The messages of a stream of server-sent events, read with fetch. */
async function* eventsOf(answer: Response): AsyncIterable<{ data: string; id: string }> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const lines = part.split("\n");
      const member = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = member("data");
      if (data !== undefined) yield { data, id: member("id") ?? "" };
    }
  }
}

export function togglePause(): void {
  isPaused.value = !isPaused.value;
  if (link.value !== "lost") link.value = isPaused.value ? "paused" : "live";
  if (!isPaused.value) showWaiting();
}

addEventListener("visibilitychange", () => {
  if (document.hidden) stream?.abort();
  else if (stream) void follow();
});
