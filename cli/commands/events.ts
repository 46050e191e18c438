import { type Command, Option } from "commander";
import { wholeNumber } from "../option-values.ts";

const json = (what = "print one JSON object and nothing else") => new Option("--json", what);
const dir = () => new Option("--dir <folder>", "the folder of gatehook dev, or one below it").default(".");
const api = () => new Option("--api <id>", "its API, where events of several have that id");
const staged = (command: Command) =>
  command
    .option("--stage <name>", "a deployed stage of this folder's gatehook.json, in place of gatehook dev")
    .option("--region <name>", "with --stage: by default the stage's in gatehook.json, or AWS_REGION");
const ID = "an id, its beginning, or last";

const filtered = (command: Command) =>
  staged(command)
    .option("--type <type>", "the event's type")
    .option("--api <id>", "its API")
    .option("--org <id>", "its organisation")
    .option("--key <key>", "its key")
    .option("--handler <name>", "a handler that its last attempt ran")
    .option("--release <version>", "the release of its last attempt, or its beginning")
    .option("--outcome <word>", "its outcome, such as done, failed or dead")
    .option("--reason <code>", "why it is not done, such as handler-threw")
    .option("--since <time>", "1h, 2d, or a time in UTC")
    .option("--until <time>", "the same")
    .option("--query <filter>", "a filter, such as '-outcome:done took:>500ms \"a text\"'")
    .addOption(dir());

/** `gatehook events`: each of its commands is loaded when it is called. */
export function addEvents(program: Command): void {
  const events = program
    .command("events")
    .description("show the outcomes of events, and what their handlers did")
    .addHelpText(
      "after",
      "\nThe events are those of gatehook dev, which records them in .gatehook/history\n" +
        "of its folder, with bodies and sessions unchanged. With --stage, they are those\n" +
        "of a deployment: by default failures, without keys, secrets and bodies.",
    );

  filtered(events.command("ls"))
    .description("list the recorded events, the newest first")
    .option("--limit <number>", "how many to list at most", wholeNumber(1, 100_000), 50)
    .addOption(json())
    .action(async (options) => (await import("./events-ls.ts")).eventsLs(options));

  filtered(events.command("tail"))
    .description("print each attempt of an event from now on, until Ctrl+C")
    .option("--limit <number>", "end after this number of attempts", wholeNumber(1, 100_000))
    .addOption(json("print one JSON object a line and nothing else"))
    .action(async (options) => (await import("./events-tail.ts")).eventsTail(options));

  staged(events.command("show"))
    .description("show one event: the input, calls, logs and writes of its handlers, attempt by attempt")
    .argument("<event>", ID)
    .addOption(api())
    .option("--attempt <number>", "only the nth recorded attempt", wholeNumber(1, 1_000))
    .addOption(json())
    .addOption(new Option("--raw", "print its lines of the history").conflicts("json"))
    .addOption(dir())
    .action(async (id, options) => (await import("./events-show.ts")).eventsShow(id, options));

  staged(events.command("diff"))
    .description("compare two events and what their handlers did; exit code 1 if they differ")
    .argument("<event>", ID)
    .argument("<event>", ID)
    .addOption(json())
    .addOption(dir())
    .action(async (a, b, options) => (await import("./events-diff.ts")).eventsDiff(a, b, options));

  events
    .command("pin")
    .description("make gatehook dev rerun an event at each save; without an event, list the pinned events")
    .argument("[event]", ID)
    .option("--off", "unpin it")
    .addOption(api())
    .addOption(json())
    .addOption(dir())
    .action(async (id, options) => (await import("./events-pin.ts")).eventsPin(id, options));

  staged(events.command("save"))
    .description("write an event as a test case: its inputs and its results")
    .argument("<event>", ID)
    .argument("<file>", "a new file; - for standard output")
    .option("--attempt <number>", "the nth recorded attempt; by default the last", wholeNumber(1, 1_000))
    .option("--redact", "without keys, secrets and bodies, to show it to others; it cannot be run")
    .addOption(api())
    .addOption(dir())
    .action(async (id, file, options) => (await import("./events-save.ts")).eventsSave(id, file, options));
}
