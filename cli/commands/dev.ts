import { join, resolve } from "node:path";
import { AppError, errorText } from "../../lib/errors.ts";
import { foldersText } from "../../lib/settings/project.ts";
import { MADE_UP_KEY } from "../../local/aws.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { STATE_FOLDER } from "../../local/state-folder.ts";
import { curlLine } from "../dev/curl.ts";
import { keepHistory } from "../dev/history.ts";
import { followKeys, type Key, keysText } from "../dev/keys.ts";
import { createLiveFolder, type LiveFolder } from "../dev/live-folder.ts";
import { writeLocalStack } from "../dev/local-stack.ts";
import { createLogLines, type LogLine, type LogLines } from "../dev/log-lines.ts";
import { lossLine } from "../dev/losses.ts";
import { consoleLink, createDevConsole } from "../dev/page.ts";
import { followPins } from "../dev/pins.ts";
import { explainedBusyPort } from "../dev/port.ts";
import { type Asked, chooseSample, type Handled, handledIn } from "../dev/sample-choice.ts";
import { type SampleReport, sendSampleEvent } from "../dev/sample-event.ts";
import { devSettings } from "../dev/settings.ts";
import { readFolder } from "../folder.ts";
import { readProject } from "../project.ts";
import { interruption, whenAborted } from "../terminal/interrupt.ts";
import { clearTerminal, print, printError, printJson } from "../terminal/print.ts";
import { ownFrames } from "../terminal/printable.ts";
import { changedMembers } from "../terminal/session-changes.ts";
import { row, timelineLines } from "../terminal/timeline.ts";
import { UsageError } from "../terminal/usage.ts";

/** The options of `gatehook dev`. `port`: 0 means any free port, which is the default of `once`. */
export interface DevOptions extends Asked {
  /** The folder with definitions and scripts. */
  dir: string;
  once?: boolean;
  json?: boolean;
  port?: number;
  demo: boolean;
  /** Keeps tables, queues and the bucket between two starts. */
  persist?: boolean;
  /** Host names that are allowed in requests, in addition to those of loopback. */
  allowHost: string[];
  /** The number of events to keep for `gatehook events`. */
  history: number;
  /** Settings that override all others. */
  set: Record<string, string>;
}

const DEFAULT_PORT = 3000;

type Say = (...lines: string[]) => void;

/**
 * `gatehook dev`: starts the stack, makes a release of a folder, shows the processing of one event, keeps running, and
 * makes a new release at every save.
 */
export async function dev(options: DevOptions): Promise<void> {
  checkTogether(options);
  const say: Say = options.json ? () => {} : print;
  const started = performance.now();
  const stop = interruption();
  const dir = resolve(options.dir);
  // Problems of the folder are reported before anything is started.
  const project = await readProject(dir);
  const { files } = await readFolder(dir, project.folders);
  if (isAsked(options)) chooseSample(handledIn(files), options);
  const settings = devSettings(project, process.env, options.set);
  const persist = options.persist ? join(dir, STATE_FOLDER, "data") : undefined;
  const facts = createLogLines((name, line) => printError(`  [${name}] ${line}`));
  const port = options.port ?? (options.once ? 0 : DEFAULT_PORT);
  const isKept = !options.once && options.history > 0;
  const page = createDevConsole(dir);
  const history = isKept ? keepHistory(dir, options.history, facts, page.recorded) : undefined;
  const stack = await startStack({
    port,
    project: dir,
    env: process.env,
    allowHosts: options.allowHost,
    ...settings,
    ...(persist && { persist }),
    watchBucket: !options.once,
    signal: stop,
    console: page.listener,
    onHistory: history?.append,
    onLine: facts.onLine,
    onError: facts.onError,
  }).catch(async (thrown: unknown) => {
    throw await explainedBusyPort(thrown, port, dir);
  });
  const over = Promise.race([whenAborted(stop), stack.broken]);
  over.catch(() => {}); // it may be rejected before anything waits for it
  const ends: (() => unknown)[] = [];
  try {
    const folder = createLiveFolder(stack, dir, project.folders, say, page.released);
    page.open({ dir, stack, folder, project, allowHosts: options.allowHost, isRecording: isKept });
    ends.push(page.close);
    if (!options.once) {
      // Started before the folder is read, so that no save is missed.
      ends.push(await folder.follow());
      if (isKept) ends.push(followPins(dir, folder, say, page.pinned));
      ends.push(await tellOthers(dir, stack));
    }
    await Promise.race([over, show(folder)]);
    if (options.once) return;
    sayHowToGoOn(stack, handledIn(folder.files), foldersText(project.folders, "or"), say);
    say(`See what your handlers do, in a browser: ${consoleLink(stack.url, page.token)}`, "");
    if (process.stdin.isTTY && process.stdout.isTTY) ends.push(takeKeys(keysOf(folder), say));
    await over.catch((thrown) => {
      if (!stop.aborted) throw thrown;
    });
  } finally {
    for (const end of ends.reverse()) await end();
    const lost = stop.aborted && !options.once && (await lossLine(stack, persist));
    if (lost) say("", lost);
    await stack.close();
    history?.close();
  }

  /** The keys of an interactive terminal. */
  function keysOf(folder: LiveFolder): Key[] {
    const sample = async () => {
      const handled = chooseSample(handledIn(folder.files), options);
      if (handled) await sendSampleEvent(stack, facts, handled, stop);
      else say("no sample sent: no API here has a handler");
    };
    const rerun = async () => {
      const { replayAll } = await import("./replay.ts");
      await replayAll(["last"], { dir, release: "working", http: "recorded" });
    };
    const failures = async () =>
      (await import("./events-ls.ts")).eventsLs({ dir, outcome: "failed", limit: 20 });
    const page = async () => (await import("./console.ts")).consoleCommand({ dir, port: 0, browser: true });
    return [
      { key: "o", does: "open page", press: page },
      { key: "s", does: "send sample", press: sample },
      ...(isKept
        ? [
            { key: "r", does: "dry rerun", press: rerun },
            { key: "f", does: "failures", press: failures },
          ]
        : []),
      { key: "c", does: "clear", press: clearTerminal },
      { key: "q", does: "quit", press: interrupt },
    ];
  }

  async function show(folder: LiveFolder): Promise<void> {
    stop.throwIfAborted();
    const linesOf = (fact: LogLine) => [
      ...timelineLines(fact).map((line) => folder.atSources(line, fact.fields.release)),
      ...framesOf(fact, folder),
    ];
    const tell = () => ends.push(facts.listen((fact) => !folder.tells(fact) && say(...linesOf(fact))));
    if (!options.once) tell();
    const live = await firstRelease(folder, options);
    say(`gatehook is ready at ${stack.url} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    if (options.once) tell();
    if (options.demo && live) await demo({ stack, facts, folder, stop, say }, options);
  }
}

/** The same as Ctrl+C. */
const interrupt = () => void process.kill(process.pid, "SIGINT");

function takeKeys(keys: Key[], say: Say): () => void {
  say(`Keys: ${keysText(keys)}`, "");
  return followKeys(process.stdin, keys, { interrupt, onError: (text) => printError(`gatehook: ${text}`) });
}

/** The source line of a handler's error, printed below the error. */
const framesOf = ({ message, fields }: LogLine, folder: LiveFolder): string[] =>
  message === "handler failed"
    ? folder.frameOf(String(fields.error), fields.release).map((line) => `${MARGIN}${line}`)
    : [];
const MARGIN = " ".repeat(26);

function checkTogether({ once, json, demo, ...asked }: DevOptions): void {
  if (json && !once) throw new UsageError("--json goes with --once: add --once");
  if (demo) return;
  if (once) throw new UsageError("--once waits for the sample event, which --no-demo leaves out");
  if (isAsked(asked))
    throw new UsageError("--api and --event choose the sample event, which --no-demo leaves out");
}

const isAsked = ({ api, event }: Asked) => api !== undefined || event !== undefined;

/** Lets commands in other terminals find this stack; returns a function that ends it. A folder may be read-only. */
async function tellOthers(dir: string, stack: Stack): Promise<() => Promise<void>> {
  try {
    const { url } = stack;
    return await writeLocalStack(dir, { url, pid: process.pid, env: forOthers(stack) });
  } catch (thrown) {
    printError(`gatehook: no other terminal can find this stack: ${errorText(thrown)}`);
    return async () => {};
  }
}

/** Without the user's own credentials. */
function forOthers({ env }: Stack): Record<string, string> {
  if (env.AWS_ACCESS_KEY_ID === MADE_UP_KEY) return env;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !CREDENTIALS.includes(name)));
}

const CREDENTIALS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/** Whether it went live. If not, the errors are printed, and can be fixed while the stack is running. */
async function firstRelease(folder: LiveFolder, { once: ends }: DevOptions): Promise<boolean> {
  const { result } = await folder.upload();
  if (result !== "refused") return true;
  if (ends)
    throw new AppError("release-invalid", "the release was refused: fix what is shown above and start again");
  return false;
}

interface Demo {
  stack: Stack;
  facts: LogLines;
  folder: LiveFolder;
  stop: AbortSignal;
  say: Say;
}

/** Sends the sample event, and prints its outcome. With --once a failure is thrown. */
async function demo({ stack, facts, folder, stop, say }: Demo, options: DevOptions): Promise<void> {
  const handled = chooseSample(handledIn(folder.files), options);
  if (!handled) {
    const message = "no sample sent: no API here has a handler";
    if (options.once) throw new AppError("local-failed", message);
    say("", message);
    return;
  }
  const { api, type } = handled;
  say("", `A gateway's ${type} event for API ${api.api_id}, from its webhook to the commit:`, "");
  const sent = await sendSampleEvent(stack, facts, handled, stop);
  if (!sent) return;
  const report = { ...sent, ...(sent.error && { error: folder.atSources(sent.error) }) };
  sayChanges(report, say);
  if (options.json) printJson(report);
  if (report.outcome === "done") return;
  const failed = `the sample event failed: ${ownFrames(report.error ?? report.outcome)}`;
  if (options.once) throw new AppError("runtime-failed", failed);
  printError(`gatehook: ${failed}`);
}

function sayChanges({ session }: SampleReport, say: Say): void {
  if (!session) return;
  const { key, before, after } = session;
  const changes = changedMembers(before, after);
  say("", `  ${row("session", changes ? key : `${key}: not changed`)}`);
  if (!changes) return;
  say(`  ${row("  before", changes.before)}`);
  say(`  ${row("  after", changes.after)}`);
}

function sayHowToGoOn(stack: Stack, handled: Handled[], folders: string, say: Say): void {
  const next = handled.find(({ type }) => type !== handled[0]?.type) ?? handled[0];
  if (next) say("", "Send the next event:", "", `  ${curlLine(stack, next)}`);
  say("", `Save a file in ${folders}, and the next event runs it.`);
  say("Commands in another terminal find this stack, such as: npx gatehook releases");
  say("Ctrl+C stops everything.", "");
}
