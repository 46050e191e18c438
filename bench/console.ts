// npm run bench:console [-- --json]: the console's page in a browser: the time to paint 10,000 events, to react to a
// key, and with 1,000 events a second on the stream; and the start time and memory of `dev` without a history, with an
// empty one, and with 10,000 events. Needs a Chromium, as the page's tests do.
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FORMAT } from "../lib/history/records.ts";
import type { Backend } from "../local/console/backend.ts";
import { createHistoryIndex } from "../local/console/history-index.ts";
import { startConsole } from "../local/console/serve.ts";
import { createHistoryReader } from "../local/history-reader.ts";
import { openPage, startBrowser, WIDE, withoutBrowser } from "../test/helpers/browser.ts";
import { definition, handler, newFolder } from "../test/helpers/dev.ts";
import { compareStarts, devStart } from "./shared/dev-start.ts";

const missing = withoutBrowser();
if (missing) throw new Error(missing);

const MANY = 10_000;
const PER_SECOND = 1_000;
const SECONDS = 5;
const SLICES = 20;

const start = Date.now() - MANY * 1_000;
const line = (n: number) =>
  `${JSON.stringify({
    history: FORMAT,
    attempt: {
      id: `event-${n}`,
      api_id: "orders",
      n: 1,
      at: new Date(start + n * 1_000).toISOString(),
      ms: 3.2,
      container: "c",
      isolation: "event",
      release: "0123456789abcdef",
      outcome: n % 50 === 0 ? "failed" : "done",
      event: {
        Type: "QuotaExceeded",
        Meta: { Key: `key-${n % 97}`, Path: "/orders", Filler: "x".repeat(2_000) },
        TimeStamp: "",
      },
      runs: [],
    },
  })}\n`;

/** The number of starts of `dev` with and without a history. */
const STARTS = 5;

/** A folder in which a `dev` has recorded this number of events. */
async function devFolder(events: number): Promise<string> {
  const folder = await newFolder({
    "apis/orders.json": definition("orders", { QuotaExceeded: "say" }),
    "handlers/say.js": handler("say", "log(event.Meta.Key);"),
  });
  if (events === 0) return folder;
  mkdirSync(join(folder, ".gatehook/history"), { recursive: true });
  const text = Array.from({ length: events }, (_, n) => line(n)).join("");
  writeFileSync(join(folder, ".gatehook/history/00000001.jsonl"), text);
  return folder;
}

/** The additional start time and memory, compared with a `dev` without a history. */
async function startFigures() {
  const [none, full] = [await devFolder(0), await devFolder(MANY)];
  try {
    const { off, empty, many } = await compareStarts(
      {
        off: () => devStart(none, "--history", "0"),
        empty: () => devStart(none),
        many: () => devStart(full),
      },
      STARTS,
    );
    if (!off || !empty || !many) throw new Error("a start was not measured");
    return {
      dev_ready_ms: { off: off.readyMs, empty: empty.readyMs, many: many.readyMs },
      dev_mb: { off: off.mb, empty: empty.mb, many: many.mb },
      dev_with_console_mb: { off: off.consoleMb, empty: empty.consoleMb, many: many.consoleMb },
    };
  } finally {
    for (const each of [none, full]) rmSync(each, { recursive: true });
  }
}

const folder = await newFolder({});
mkdirSync(join(folder, "history"));
const file = join(folder, "history/00000001.jsonl");
writeFileSync(file, Array.from({ length: MANY }, (_, n) => line(n)).join(""));
const read = () => createHistoryReader(join(folder, "history"));

const readStarted = performance.now();
const index = createHistoryIndex(read());
await index.refresh();
const readMs = performance.now() - readStarted;
const backend: Backend = {
  about: { mode: "dev", place: folder, dir: folder, url: "", write: true, settings: {} },
  historyState: { on: true, why: "", content: "full" },
  history: { index, read, frameOf: async () => null },
};
const token = "b".repeat(43);
const page = await startConsole(backend, token, 0);
const browser = await startBrowser();

/** Long tasks of the page's main thread, as reported by the browser. */
const WATCH = `window.longTasks = []; new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((each) => each.duration))).observe({ type: "longtask" });`;

try {
  // The first request bundles the page.
  const warm = await openPage(browser, `${page.url}/console#token=${token}`, WIDE);
  await warm.settled();
  await warm.close();

  const opened = performance.now();
  const on = await openPage(browser, `${page.url}/console#token=${token}`, WIDE);
  await on.page.locator(".row").first().waitFor();
  const firstRowsMs = performance.now() - opened;
  await on.page.locator(`.sizer[style*="${MANY * 28}px"]`).waitFor();
  const allRowsMs = performance.now() - opened;
  const nodes = await on.page.evaluate<number>('document.querySelectorAll("*").length');

  const keyMs: number[] = [];
  for (let n = 0; n < 40; n += 1)
    keyMs.push(
      await on.page.evaluate<number>(`new Promise((resolve) => {
        const from = performance.now();
        dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - from)));
      })`),
    );
  // Back to the top, where new rows are shown as they come.
  await on.keys("Escape", ".");

  await on.page.evaluate(WATCH);
  const streamed = performance.now();
  for (let second = 0; second < SECONDS; second += 1)
    for (let slice = 0; slice < SLICES; slice += 1) {
      const from = MANY + (second * SLICES + slice) * (PER_SECOND / SLICES);
      appendFileSync(file, Array.from({ length: PER_SECOND / SLICES }, (_, n) => line(from + n)).join(""));
      await index.refresh();
      const due = streamed + (second * SLICES + slice + 1) * (1_000 / SLICES);
      await delay(Math.max(0, due - performance.now()));
    }
  await on.page.locator(`.sizer[style*="${(MANY + PER_SECOND * SECONDS) * 28}px"]`).waitFor();
  const streamMs = performance.now() - streamed;
  const longTasks = await on.page.evaluate<number[]>("window.longTasks");
  await on.close();

  const sorted = keyMs.sort((a, b) => a - b);
  const figures = {
    events: MANY,
    index_read_ms: Math.round(readMs),
    first_rows_ms: Math.round(firstRowsMs),
    all_rows_ms: Math.round(allRowsMs),
    dom_nodes: nodes,
    key_to_paint_ms: { median: Math.round(sorted[20] ?? 0), worst: Math.round(sorted.at(-1) ?? 0) },
    streamed_per_second: Math.round((PER_SECOND * SECONDS) / (streamMs / 1_000)),
    long_tasks: longTasks.map(Math.round),
    ...(await startFigures()),
  };
  if (process.argv.includes("--json")) console.log(JSON.stringify(figures));
  else
    for (const [name, value] of Object.entries(figures))
      console.log(`${name.padEnd(22)}${JSON.stringify(value)}`);
} finally {
  await browser.close();
  await page.close();
  rmSync(folder, { recursive: true });
}
