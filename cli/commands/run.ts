import type { RunFolder } from "../run-folder.ts";
import { type Listener, type RunReport, type RunSettings, runHandler } from "../run-handler.ts";
import type { InputOptions } from "../run-input.ts";
import { print, printError, printJson, printText } from "../terminal/print.ts";
import { linesOf, ownFrames } from "../terminal/printable.ts";
import { problemLines, textsOf } from "../terminal/problem-lines.ts";

interface RunOptions extends RunSettings, InputOptions {
  json?: boolean;
}

/** `gatehook run`: runs one script with one event, with sessions in memory. */
export async function run(asked: string | undefined, options: RunOptions): Promise<void> {
  const read = async () => (await import("../run-input.ts")).readInput(options);
  conclude(await runHandler(asked, options, read, listenerOf(options)), options);
}

function listenerOf({ json }: RunOptions): Listener {
  const say = json ? () => {} : print;
  return {
    opened: tellProblems,
    chosen(plan, handler, event) {
      if (!json)
        printText(`run   ${handler} in ${plan.script.path}, for ${event.Type} of API ${plan.api.api_id}`);
    },
    log(level, message) {
      const [first, ...more] = linesOf(message);
      if (level === "raw") say(...linesOf(message));
      else say(`${level.padEnd(6)}${first}`, ...more.map((line) => `${"".padEnd(6)}${line}`));
    },
  };
}

/** An invalid definition does not prevent the use of the others. */
function tellProblems({ definitions, problems }: RunFolder): void {
  const textOf = textsOf(definitions);
  for (const problem of problems) printError(...problemLines("warning", problem, textOf));
}

function conclude(report: RunReport, options: RunOptions): void {
  if (report.outcome !== "done") process.exitCode = 1;
  if (options.json) {
    printJson(report);
    return;
  }
  for (const [key, session] of Object.entries(report.sessions))
    print(`session ${key} ${JSON.stringify(session)}`);
  print(`${report.outcome} in ${report.ms} ms`);
  if (report.error)
    printError(...linesOf(ownFrames(`${report.error.message}\n${report.error.stack}`.trimEnd())));
}
