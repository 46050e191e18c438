import { AppError } from "../lib/errors.ts";
import { readSourceFiles } from "../local/files.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { devSettings } from "./dev-settings.ts";
import { createFacts, type Facts } from "./facts.ts";
import { interruption, whenAborted } from "./interrupt.ts";
import { createLiveFolder, type LiveFolder } from "./live-folder.ts";
import { print, printError, printJson } from "./print.ts";
import { readProject } from "./project.ts";
import { SAMPLE_API, SAMPLE_KEY, type SampleReport, sendSampleEvent } from "./sample-event.ts";
import { row, timelineLines } from "./timeline.ts";
import { UsageError } from "./usage.ts";

export interface DevOptions {
  once?: boolean;
  json?: boolean;
  port: number;
  demo: boolean;
  /** Settings, before all others. */
  set: Record<string, string>;
}

/**
 * `gatehook dev`: boots the stack, makes a release of this folder, shows one event's way, stays up, and makes another
 * release of every save.
 */
export async function dev(options: DevOptions): Promise<void> {
  if (options.json && !options.once) throw new UsageError("--json goes with --once: add --once");
  if (options.once && !options.demo)
    throw new UsageError("--once waits for the sample event, which --no-demo leaves out");
  const say = options.json ? () => {} : print;
  const started = performance.now();
  const interrupted = interruption();
  await readSourceFiles(process.cwd()); // a wrong folder is told before anything is started
  const settings = devSettings(await readProject(process.cwd()), process.env, options.set);
  const facts = createFacts((name, line) => printError(`  [${name}] ${line}`));
  const stack = await startStack({
    port: options.once ? 0 : options.port,
    env: process.env,
    ...settings,
    watchBucket: !options.once,
    signal: interrupted,
    onLine: facts.onLine,
    onError: facts.onError,
  });
  const over = Promise.race([whenAborted(interrupted), stack.broken]);
  let stopFollowing = () => {};
  try {
    const folder = createLiveFolder(stack, process.cwd(), say);
    await Promise.race([over, show(stack, folder)]);
    if (options.once) return;
    stopFollowing = folder.follow();
    sayHowToGoOn(stack, say);
    await over.catch((thrown) => {
      if (!interrupted.aborted) throw thrown;
    });
  } finally {
    stopFollowing();
    await stack.close();
  }

  async function show(stack: Stack, folder: LiveFolder): Promise<void> {
    const live = await firstRelease(folder, options);
    say(`gatehook is ready at ${stack.url} (${((performance.now() - started) / 1000).toFixed(1)} s)`, "");
    facts.listen((fact) => {
      say(...timelineLines(fact));
    });
    if (options.demo && live) conclude(await demo(stack, facts, say), options);
  }
}

/** Whether it went live; what is wrong stands above then, and is mended while the stack is up. */
async function firstRelease(folder: LiveFolder, { once }: DevOptions): Promise<boolean> {
  const report = await folder.upload();
  if (report?.result !== "refused") return true;
  if (once)
    throw new AppError("release-invalid", "the release was refused: mend what stands above and start again");
  return false;
}

async function demo(stack: Stack, facts: Facts, say: (...lines: string[]) => void): Promise<SampleReport> {
  say("A gateway's KeyExpired event, from its webhook to the committed session:", "");
  const report = await sendSampleEvent(stack, facts);
  const { before, after } = report.session;
  say("", `  ${row("session", report.session.key)}`);
  say(`  ${row("  before", `expires ${before.expires}`)}`);
  say(`  ${row("  after", `expires ${after?.expires}`)}`);
  return report;
}

function conclude(report: SampleReport, options: DevOptions): void {
  if (options.json) printJson(report);
  if (report.outcome === "done") return;
  if (options.once) throw new AppError("runtime-failed", `the sample event failed: ${report.error}`);
  printError(`gatehook: the sample event failed: ${report.error}`);
}

function sayHowToGoOn(stack: Stack, say: (...lines: string[]) => void): void {
  const event = {
    event: { Type: "QuotaExceeded", Meta: { Message: "Key Quota Limit Exceeded", Key: SAMPLE_KEY } },
  };
  say("", "Send the next event:", "");
  say(`  curl ${stack.url}/events/${SAMPLE_API} -d '${JSON.stringify(event)}'`, "");
  say(
    "Save a file in apis/ or handlers/, and the next event runs it. For gatehook's commands in another terminal:",
    "",
  );
  const exports = Object.entries(stack.env)
    .filter(([name]) => /^AWS_|_(URL|TABLE|BUCKET)$/.test(name))
    .map(([name, value]) => `  export ${name}=${value}`);
  say(...exports, "", "Ctrl+C stops everything.", "");
}
