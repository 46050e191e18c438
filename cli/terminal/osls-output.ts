import { runOsls } from "../../deploy/osls.ts";
import { printError } from "./print.ts";
import { startProgress } from "./progress.ts";

/** A progress line of one resource. */
const RESOURCE = /^\s*(CREATE|UPDATE|DELETE)_(IN_PROGRESS|COMPLETE) - (?!AWS::CloudFormation::Stack)/;
/** The lines after this repeat what the command itself prints, or the environment and the error. */
const END = /^(✔|×|Environment:|Error:?)/;

/** Runs the framework on a stack, and shows its steps and its progress on standard error. */
export async function runOnStack(
  program: string,
  args: string[],
  { cwd, stop }: { cwd: string; stop: AbortSignal },
): Promise<void> {
  let done = 0;
  let ended = false;
  const progress = startProgress(() => `  ${done} resources done`);
  const onLine = (line: string) => {
    ended ||= END.test(line);
    if (/_COMPLETE - /.test(line)) done += 1;
    if (!ended && line && !RESOURCE.test(line)) printError(`  ${line.trim()}`);
  };
  try {
    await runOsls(program, [...args, "--verbose"], { cwd, env: process.env, onLine, stop });
  } finally {
    progress.end();
  }
}
