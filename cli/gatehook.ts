#!/usr/bin/env node
import { Command, InvalidArgumentError } from "commander";
import { errorText } from "../lib/errors.ts";
import { dev } from "./dev.ts";

function port(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number;
  throw new InvalidArgumentError("It is a number from 0 (any free port) to 65535.");
}

const program = new Command("gatehook").description(
  "Runs an API gateway's JavaScript event handlers: SQS, Lambda, QuickJS, DynamoDB.",
);

program
  .command("dev")
  .description("run the whole stack on this machine, with the apis/ and handlers/ of this folder")
  .option("--once", "end after the sample event: exit code 0 when its handler's work is committed, else 1")
  .option("--json", "with --once: print one JSON object and nothing else")
  .option("--port <number>", "where ingest listens; 0 is any free port", port, 3000)
  .option("--no-demo", "send no sample event")
  .action(dev);

try {
  await program.parseAsync();
} catch (thrown) {
  console.error(`gatehook: ${errorText(thrown)}`);
  process.exitCode = 1;
}
