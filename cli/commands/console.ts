import { spawn } from "node:child_process";
import { basename, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openSessionsApi } from "../../functions/sessions-api.ts";
import { AppError, errorText } from "../../lib/errors.ts";
import { type AttemptRecord, FORMAT, type HistoryLine, type RunRecord } from "../../lib/history/records.ts";
import type { TestCase } from "../../lib/history/test-case.ts";
import { parsedJson } from "../../lib/json.ts";
import type { Backend, RecordedEvents } from "../../local/console/backend.ts";
import { createHistoryIndex, type HistoryIndex } from "../../local/console/history-index.ts";
import { startConsole } from "../../local/console/serve.ts";
import { newToken, tokenIn } from "../../local/console/token.ts";
import { type HistoryReader, type PlacedLine, parseLine } from "../../local/history-reader.ts";
import { openQueue } from "../dead-letters.ts";
import { createFrames, shownSettings } from "../dev/console-backend.ts";
import { findLiveStack } from "../dev/local-stack.ts";
import { consoleLink, tokenFile } from "../dev/page.ts";
import { createAudit, readAudit } from "../stage/audit.ts";
import { connect } from "../stage/connect.ts";
import { type StageHistory, stageHistory } from "../stage/history.ts";
import { openReleaseStore } from "../stage/release-store.ts";
import { readAccount } from "../stage/stack.ts";
import { interruption, whenAborted } from "../terminal/interrupt.ts";
import { print, printErrorText, printText } from "../terminal/print.ts";
import { QUIET } from "../terminal/quiet.ts";
import { readText, UsageError } from "../terminal/usage.ts";

/** `stage` and `open` are mutually exclusive; without both, the page shows the local stack. */
export interface ConsoleCommandOptions {
  dir: string;
  stage?: string;
  region?: string;
  /** Allows changes, with the permissions of the caller. */
  write?: boolean;
  yes?: boolean;
  /** A file with recorded events. */
  open?: string;
  /** 0: any free port. */
  port: number;
  /** Opens the link in a browser. */
  browser: boolean;
}

/** `gatehook console`: the page of the local stack, of a deployment, or of a file of events. */
export async function consoleCommand(options: ConsoleCommandOptions): Promise<void> {
  const { stage, open, write } = options;
  if (stage !== undefined && open !== undefined)
    throw new UsageError("--stage and --open are two consoles: leave one of them out");
  if (write && stage === undefined) throw new UsageError("--write goes with --stage");
  if (open !== undefined) return serve(await fileBackend(open), options);
  if (stage !== undefined) {
    if (await connect({ ...options, stage }, write ? "change" : undefined))
      await serve(await stageBackend({ ...options, stage }), options);
    else process.exitCode = 1;
    return;
  }
  const { dir, stack } = await findLiveStack(options.dir);
  tell(consoleLink(stack.url, tokenIn(tokenFile(dir))), options);
}

async function serve(backend: Backend, options: ConsoleCommandOptions): Promise<void> {
  const stop = interruption();
  const token = newToken();
  const page = await startConsole(backend, token, options.port);
  tell(consoleLink(page.url, token, backend.history ? undefined : "overview"), options);
  printText("Ctrl+C ends it.");
  await whenAborted(stop).catch(() => {});
  await page.close();
}

/** The link has a line of its own, so that it can be copied. */
function tell(link: string, { browser }: ConsoleCommandOptions): void {
  print(link);
  const [program, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  if (!browser || !process.stdout.isTTY || program === undefined) return;
  // If there is no such program, the user has the printed link.
  spawn(program, [...args, link], { stdio: "ignore", detached: true })
    .once("error", () => {})
    .unref();
}

const OPENERS: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

async function stageBackend({
  stage,
  write = false,
}: ConsoleCommandOptions & { stage: string }): Promise<Backend> {
  const { account, region, caller: who } = await readAccount(process.env.AWS_REGION);
  const store = openReleaseStore();
  const sessions = openSessionsApi(process.env, QUIET);
  const [{ queue: letters }, { queue: events }] = await Promise.all([
    openQueue("DEAD_LETTERS_QUEUE_URL"),
    openQueue("EVENTS_QUEUE_URL"),
  ]);
  const recorded = process.env.HISTORY_TABLE ? stageHistory(stage) : undefined;
  const history = recorded && (await recordedEvents(recorded, store));
  return {
    about: {
      mode: "stage",
      place: `${stage} · ${account} · ${region}`,
      dir: "",
      url: "",
      write,
      settings: shownSettings(process.env),
    },
    history,
    historyState: history
      ? { on: true, why: "", content: "redacted" }
      : {
          on: false,
          why: "this stage records no events: its setting HISTORY is off, or it was deployed by an earlier version",
          content: "",
        },
    sessions: sessions.answer,
    who,
    audit: createAudit({ who, history: recorded, now: Date.now }),
    releases: { store, onChange: () => () => {} },
    deadLetters: { letters, events },
  };
}

/** Time between two reads of new records; each read is eight requests. */
const LOOK_MS = 2_000;
/** Records that cannot be read now are read later; the reason is printed once. */
async function follow(index: HistoryIndex): Promise<never> {
  for (let told = ""; ; ) {
    await delay(LOOK_MS, undefined, { ref: false });
    const error = await index.refresh().then(() => "", errorText);
    if (error && error !== told) printErrorText(`gatehook: new events cannot be read: ${error}`);
    told = error;
  }
}

/** The maximum number of complete records for one answer to the page; each needs a request. */
const WHOLE = 1_000;

/** The newest events of a stage, followed until this process ends. */
async function recordedEvents(
  history: StageHistory,
  store: Parameters<typeof createFrames>[0],
): Promise<RecordedEvents> {
  const { reader, keyRef, inRefs } = history;
  const index = createHistoryIndex(reader());
  await index.refresh();
  void follow(index);
  return {
    index,
    read: () => reader({ whole: true, most: WHOLE }),
    async ofKey(key) {
      const name = await keyRef(key);
      return { reader: reader({ keys: [name], whole: true, most: WHOLE }), name };
    },
    edits: (name) => readAudit(history, name),
    inRecorded: inRefs,
    frameOf: createFrames(store, undefined),
  };
}

async function fileBackend(path: string): Promise<Backend> {
  const lines = linesIn(await readText(path, "file of events"), path);
  const read = () => readerOf(lines);
  const index = createHistoryIndex(read());
  await index.refresh();
  const place = basename(resolve(path));
  return {
    about: { mode: "file", place, dir: "", url: "", write: false, settings: {} },
    history: { index, read, frameOf: createFrames({ read: noRelease }, undefined) },
    historyState: { on: true, why: "", content: "full" },
  };
}

const noRelease = async () => {
  throw new AppError("release-missing", "a file of events has no release");
};

/** Lines of a history, as `events show --raw` prints them, or a test case of `events save`. */
function linesIn(text: string, path: string): HistoryLine[] {
  const lines = text.split("\n").flatMap((line) => parseLine(line) ?? []);
  if (lines.length > 0) return lines;
  const test = parsedJson(text);
  if (isCase(test)) return [{ history: FORMAT, attempt: attemptOf(test) }];
  throw new UsageError(
    `${path} has no recorded event: it must be a file that gatehook events show --raw or events save writes`,
  );
}

function isCase(value: unknown): value is TestCase & { event: AttemptRecord["event"] } {
  const { event, expect } = (value ?? {}) as Partial<TestCase>;
  const { Type, Meta } = (event ?? {}) as Partial<AttemptRecord["event"]>;
  return typeof Type === "string" && typeof Meta === "object" && typeof expect?.outcome === "string";
}

/** A test case has the calls and the result, without times. */
function attemptOf(test: TestCase & { event: AttemptRecord["event"] }): AttemptRecord {
  const { api_id, event, sessions = {}, http = [], expect } = test;
  const { logs = [], sessions: left = {} } = expect;
  const texts = (value: unknown) => JSON.stringify(value) ?? "";
  const reads = Object.entries(sessions).map(
    ([key, session]) => ["getKeyData", [key], texts(session)] as const,
  );
  const requests = http.map(
    ({ request, answer }) => ["makeHttpRequest", [texts(request)], texts(answer)] as const,
  );
  const calls = [...reads, ...requests].map(([name, args, answer], i) => ({
    i,
    name,
    args: [...args],
    answer,
    t: 0,
    ms: 0,
  }));
  const handlers = new Set(logs.map(({ handler }) => handler));
  const run: RunRecord = {
    handler: [...handlers].join(", ") || "the handlers",
    path: "",
    context: {},
    timeout_ms: 0,
    ms: 0,
    outcome: expect.outcome === "done" ? "done" : "failed",
    calls,
    logs: logs.map(({ text }, at) => ({ i: calls.length + at, level: "info", text })),
    writes: Object.entries(left).map(([key, after], at) => ({
      i: calls.length + logs.length + at,
      key,
      before: key in sessions ? texts(sessions[key]) : null,
      after: after === null ? null : texts(after),
    })),
  };
  return {
    id: "saved",
    api_id,
    n: 1,
    at: new Date(0).toISOString(),
    ms: 0,
    container: "",
    isolation: "global",
    outcome: expect.outcome as AttemptRecord["outcome"],
    event,
    runs: [run],
  };
}

/** All lines are available from the start. */
function readerOf(lines: HistoryLine[]): HistoryReader {
  const places = lines.map((line, at): PlacedLine => ({ line, place: { file: "", offset: at, bytes: 0 } }));
  let left = places;
  async function* readPlaced() {
    const now = left;
    left = [];
    yield* now;
  }
  return {
    readPlaced,
    async *read() {
      for await (const { line } of readPlaced()) yield line;
    },
    lineAt: async ({ offset }) => lines[offset],
    files: () => [""],
  };
}
