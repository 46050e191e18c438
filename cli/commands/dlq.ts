import { type Command, Option } from "commander";
import { perSecond, reaching, wholeNumber, yes } from "../option-values.ts";

const target = (verb: string) => `the group or the event to ${verb}, as gatehook dlq ls names it`;
const json = () => new Option("--json", "print one JSON object and nothing else");
const max = (what: string) =>
  new Option("--max <number>", what).argParser(wholeNumber(1, 100_000)).default(10_000);

/** `gatehook dlq`: each of its commands is loaded when it is called. */
export function addDlq(program: Command): void {
  const dlq = program
    .command("dlq")
    .description("show the dead-letter queue, redrive its events, or delete them")
    .addHelpText(
      "after",
      "\nTo look into a queue is to receive its messages: their receive counts go up.\n" +
        "Each command makes them visible again at its end, and after a Ctrl+C.",
    );

  reaching(dlq.command("ls"))
    .description("list the dead letters in groups of one reason, handler and error; never their bodies")
    .addOption(max("how many messages to read at most"))
    .addOption(json())
    .action(async (options) => (await import("./dlq-ls.ts")).dlqLs(options));

  reaching(dlq.command("show"))
    .description("show the letters of a group or an event: error, stack, attributes")
    .argument("<group|event>", target("show"))
    .option("--body", "print the bodies too, which may contain keys")
    .option(
      "--limit <number>",
      "how many letters to show at most, the newest ones",
      wholeNumber(1, 1_000),
      20,
    )
    .addOption(max("how many messages to read at most"))
    .addOption(json())
    .action(async (name, options) => (await import("./dlq-show.ts")).dlqShow(name, options));

  reaching(dlq.command("redrive"))
    .description("send events to the events queue again, then delete them from the dead-letter queue")
    .argument("[group|event]", target("send"))
    .option("--all", "all that are in the queue now")
    .option("--rate <number/s>", "how many events to send per second", perSecond(0.1, 1_000), 20)
    .option("--dry-run", "only say how many")
    .addOption(yes())
    .addOption(max("how many messages of other groups to pass over at most"))
    .addOption(json())
    .action(async (name, options) => (await import("./dlq-redrive.ts")).dlqRedrive(name, options));

  reaching(dlq.command("rm"))
    .description("delete dead letters permanently; asks first")
    .argument("[group|event]", target("delete"))
    .option("--all", "all that are in the queue now")
    .addOption(yes())
    .addOption(max("how many messages of other groups to pass over at most"))
    .addOption(json())
    .action(async (name, options) => (await import("./dlq-rm.ts")).dlqRm(name, options));
}
