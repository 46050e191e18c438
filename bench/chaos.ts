// npm run chaos [-- --events N --kills K --seed S --json]: checks that no event is lost or has its effect twice while
// consumers are killed and their table fails. Exit code: 0 if every event has its required results, 1 if not, 2 for
// invalid arguments.
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { type Progress, runChaos } from "../test/chaos/chaos.ts";
import type { ChaosResult } from "../test/chaos/result.ts";

function number(min: number, max: number, whole = true): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= min && value <= max && (!whole || Number.isInteger(value)))
      return value;
    throw new InvalidArgumentError(`It must be a ${whole ? "whole " : ""}number from ${min} to ${max}.`);
  };
}

const program = new Command("npm run chaos --")
  .description(
    "Sends events to several consumers while processes are killed, and DynamoDB and webhooks' targets fail.",
  )
  .option("--events <number>", "events to send", number(1, 1_000_000), 10_000)
  .option("--kills <number>", "consumer processes to kill", number(0, 100_000), 200)
  .option("--seed <number>", "what all chance is drawn from", number(0, 2 ** 31 - 1), 1)
  .option("--consumers <number>", "consumer processes", number(1, 64), 4)
  .option("--fifo", "with FIFO queues: the order of each key's events must be kept too", false)
  .option("--fault-rate <share>", "share of DynamoDB calls that meet a fault", number(0, 0.9, false), 0.05)
  .option("--patience <seconds>", "without progress for so long, it has failed", number(1, 3_600), 60)
  .option("--json", "print one JSON object and nothing else")
  .allowExcessArguments(false)
  .exitOverride();

interface Options {
  events: number;
  kills: number;
  seed: number;
  consumers: number;
  fifo: boolean;
  faultRate: number;
  patience: number;
  json?: boolean;
}

async function chaos({ patience, json, ...options }: Options): Promise<void> {
  const result = await runChaos({
    ...options,
    patienceMs: patience * 1000,
    env: process.env,
    onProgress: createProgress(options.events),
    onLine: (line) => process.stderr.write(`${line}\n`),
  });
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (json) console.log(JSON.stringify(result));
  else console.log(reportOf(result));
  if (result.troubles.length > 0) process.exitCode = 1;
}

/** On a terminal, one line that is overwritten; elsewhere, such as in a log, one line for each tenth. */
function createProgress(events: number): (progress: Progress) => void {
  let told = 0;
  return ({ accounted, backlog, kills, faults }) => {
    const line = `${accounted} of ${events} events accounted for, ${backlog} messages in the queue, ${kills} kills, ${faults} faults`;
    const tenth = Math.floor((accounted / events) * 10);
    if (process.stderr.isTTY) process.stderr.write(`\r${line}\x1b[K`);
    else if (tenth > told) process.stderr.write(`${line}\n`);
    told = tenth;
  };
}

function reportOf({ troubles, failed_invocations, ...result }: ChaosResult): string {
  const rows = (table: object, indent = ""): string[] =>
    Object.entries(table).flatMap(([name, value]) =>
      typeof value === "object"
        ? [name.replaceAll("_", " "), ...rows(value, "  ")]
        : `${indent}${name.padEnd(26 - indent.length)}${value}`,
    );
  return [
    ...rows(result),
    ...failed_invocations.map((message) => `invocation failed: ${message}`),
    ...troubles,
    troubles.length > 0 ? "FAILED" : "every event is accounted for",
  ].join("\n");
}

try {
  await chaos(program.parse().opts<Options>());
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  process.exitCode = thrown.exitCode === 0 ? 0 : 2;
}
