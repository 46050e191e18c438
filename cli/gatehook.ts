#!/usr/bin/env node
// Each command is loaded when it is called, so that `run` and `check` do not wait for the AWS SDK.
import { Command, CommanderError, Option } from "commander";
import { errorText } from "../lib/errors.ts";
import { addDlq } from "./commands/dlq.ts";
import { addEvents } from "./commands/events.ts";
import { addGatewayCommands } from "./commands/gateway-commands.ts";
import { addReleaseCommands } from "./commands/release-commands.ts";
import { addSessions } from "./commands/sessions.ts";
import { addStageCommands } from "./commands/stage-commands.ts";
import { addWebhook } from "./commands/webhook.ts";
import {
  collect,
  folder,
  hostName,
  JSON_OPTION,
  keyAndFile,
  nameAndValue,
  perSecond,
  reaching,
  repeatable,
  wholeNumber,
  yes,
} from "./option-values.ts";
import { awsAdvice } from "./stage/aws-errors.ts";
import { print, printError, printErrorText } from "./terminal/print.ts";
import { linesOf } from "./terminal/printable.ts";
import { Interrupted, UsageError } from "./terminal/usage.ts";
import { ownPackage } from "./version.ts";

// As in Lambda, for dates in scripts.
process.env.TZ = "UTC";

const toLines = (text: string) => linesOf(text.replace(/\n$/, ""));

/** The default address of gatehook dev. */
const LOCAL_URL = "http://127.0.0.1:3000";

/** The user answered a confirmation with no; the message has already been printed. */
class Declined extends Error {}

const program = new Command("gatehook")
  .description("Runs an API gateway's JavaScript event handlers: SQS, Lambda, QuickJS, DynamoDB.")
  .version(ownPackage().version)
  .configureHelp({ minWidthToWrap: 12 })
  .configureOutput({
    writeOut: (text) => print(...toLines(text)),
    writeErr: (text) => printError(...toLines(text)),
  })
  .exitOverride();

program
  .command("init")
  .description("create a folder of your own: a definition, a handler and its test")
  .argument("[dir]", "the folder; created if it does not exist", ".")
  .option("--tyk <folder>", "take definitions and handlers from this folder of a gateway, as attach does")
  .option("--url <address>", "with --tyk: where the gateway sends its events", LOCAL_URL)
  .option("--ts", "handlers in TypeScript: with a tsconfig.json and the bundler")
  .option("--json", "print one JSON object and nothing else")
  .action(async (dir, options) => (await import("./commands/init.ts")).init(dir, options));

addGatewayCommands(program);

program
  .command("dev")
  .description("run the whole stack on this machine, with the apis/ and handlers/ of a folder")
  .addOption(folder())
  .option("--once", "end after the sample event: exit code 0 if its handler's work is committed, otherwise 1")
  .option("--json", "with --once: print one JSON object and nothing else")
  .option(
    "--port <number>",
    "where ingest listens; 0 is any free port (default: 3000, with --once 0)",
    wholeNumber(0, 65_535),
  )
  .option("--event <type>", "the type of the sample event; by default the first that has a handler")
  .option("--api <id>", "the API of the sample event; by default the first that has a handler")
  .option("--no-demo", "send no sample event")
  .addOption(
    repeatable(
      "--allow-host <name>",
      "a further name by which requests may come, such as host.docker.internal",
      hostName,
      [],
    ),
  )
  .option("--persist", "keep tables, queues and the bucket in .gatehook/ for the next start")
  .option(
    "--history <number>",
    "how many events to keep for gatehook events; 0 records none",
    wholeNumber(0, 1_000_000),
    10_000,
  )
  .addOption(repeatable("--set <NAME=value>", "a setting of docs/settings.md", nameAndValue, {}))
  .action(async (options) => (await import("./commands/dev.ts")).dev(options));

program
  .command("run")
  .description("run one handler script against one event, with sessions in memory")
  .argument("[script.js]", "the handler script; by default the one of --handler in the definitions")
  .option(
    "--handler <name>",
    "the handler object; by default the one that a definition names, or the only one",
  )
  .option("--event <file>", "the event as JSON, - for standard input; by default a KeyExpired event")
  .option("--dir <folder>", "the folder with apis/ and tykjs.js; by default the nearest around the script")
  .option("--api <id>", "the API of the event; by default the first that names the script, or demo")
  .option("--org <id>", "the handler's context.OrgID; by default that of the API, or demo-org")
  .addOption(repeatable("--session <key=file>", "a session that is in the store", keyAndFile, {}))
  .option("--timeout <ms>", "wall time of the run", wholeNumber(1, 600_000), 5_000)
  .addOption(
    new Option("--isolation <mode>", "what a run leaves for the next")
      .choices(["global", "event"])
      .default("global"),
  )
  .option("--repeat <number>", "how many times to run it", wholeNumber(1, 1_000_000), 1)
  .addOption(
    repeatable("--allow-host <host>", "a host or CIDR that is not public but may be called", collect, []),
  )
  .option("--json", "print one JSON object and nothing else")
  .addHelpText(
    "after",
    "\nIn a folder with apis/ or handlers/, the script runs as its API has it:\n" +
      "tykjs.js is loaded before it, and context has the API's config_data.\n" +
      "Definitions that name the script for the event's type come before the others.\n" +
      "An option overrides the definition, and the definition overrides the script.",
  )
  .action(async (script, options) => (await import("./commands/run.ts")).run(script, options));

addReleaseCommands(program);

reaching(program.command("publish"))
  .description("take a gateway's events on this machine, and send them to the queue by the machine's role")
  .option(
    "--listen <host:port>",
    "where to take events; systemd: at the socket that it passes",
    "127.0.0.1:9180",
  )
  .option("--queue <url>", "the events queue; by default that of the stack")
  .option("--spool <folder>", "where events are kept until the queue has them", ".gatehook/spool")
  .option("--spool-mb <number>", "what the folder may hold, in MB", wholeNumber(16, 1_000_000), 256)
  .option("--drain-seconds <number>", "how long to go on sending at the end", wholeNumber(0, 600), 10)
  .option("--stats-seconds <number>", "how often to log the counts; 0 is never", wholeNumber(0, 86_400), 60)
  .option(
    "--allow-network",
    "listen on other addresses than loopback: everybody who reaches them can send events",
  )
  .option("--json", "print the counts as one JSON object at the end and nothing else")
  .action(async (options) => (await import("./commands/publish.ts")).publish(options));

addStageCommands(program);

program
  .command("send")
  .description("send an event to the stack of gatehook dev, as a gateway sends it")
  .argument("[type]", "a gateway's type of event, made as the gateway makes it")
  .option("--api <id>", "its API; by default the first that has a handler for it")
  .option("--key <key>", "the key that it is about")
  .addOption(repeatable("--set <Meta.Path=value>", "a different value of a member", collect, []))
  .option("--file <file>", "the events in a file: one, an array, or one on each line; - for standard input")
  .option("--from <event>", "a recorded event again, with a new id: its id, the beginning of its id, or last")
  .option(
    "--repeat <number>",
    "how many times to send it, each time as a new event",
    wholeNumber(1, 100_000),
    1,
  )
  .option("--rate <number/s>", "how many events to send per second at most", perSecond(0.1, 1_000))
  .option("--wait", "wait for the outcome and show it: exit code 1 if it is not done")
  .option(...JSON_OPTION)
  .addOption(new Option("--dir <folder>", "the folder of gatehook dev, or one below it").default("."))
  .action(async (type, options) => (await import("./commands/send.ts")).send(type, options));

program
  .command("console")
  .description("see events, sessions, releases and dead letters in a browser")
  .addOption(new Option("--dir <folder>", "the folder of gatehook dev, or one below it").default("."))
  .option("--stage <name>", "a deployed stage, with your own credentials; read-only without --write")
  .option("--region <name>", "with --stage: by default the stage's in gatehook.json, or AWS_REGION")
  .option("--write", "with --stage: allow changes to sessions, releases and dead letters")
  .option("--open <file>", "recorded events in a file that events show --raw or events save wrote")
  .option(
    "--port <number>",
    "with --stage and --open: the port of the page; 0 is any free port",
    wholeNumber(0, 65_535),
    0,
  )
  .option("--no-browser", "only print the link")
  .addOption(yes())
  .action(async (options) => (await import("./commands/console.ts")).consoleCommand(options));

program
  .command("replay")
  .description("run the handlers of recorded events again, dry: nothing is written or sent")
  .argument("[event...]", "ids, their beginnings, or last")
  .option("--last <number>", "the newest events, to try a release on them", wholeNumber(1, 10_000))
  .option("--query <filter>", "with --last: a filter, as of events ls")
  .option("--attempt <number>", "the nth recorded attempt; by default the last", wholeNumber(1, 1_000))
  .option("--release <version>", "a version, live, or working: the files of the folder", "working")
  .addOption(
    new Option("--http <answers>", "live: ask other hosts for what the record does not have")
      .choices(["recorded", "live"])
      .default("recorded"),
  )
  .option("--api <id>", "its API, where events of several have that id")
  .option(...JSON_OPTION)
  .addOption(new Option("--dir <folder>", "the folder of gatehook dev, or one below it").default("."))
  .action(async (ids, options) => (await import("./commands/replay.ts")).replay(ids, options));

program
  .command("test")
  .description("run the tests of a folder: events, and what its handlers must do with them")
  .argument("[file...]", "files or folders; by default all of tests/")
  .option("--update", "write the current results as the expected results")
  .option("--watch", "run them again after each save, until Ctrl+C")
  .addOption(
    new Option("--reporter <form>", "the form of the report")
      .choices(["spec", "tap", "junit"])
      .default("spec"),
  )
  .addOption(folder())
  .action(async (files, options) => (await import("./commands/test.ts")).test(files, options));

addDlq(program);
addEvents(program);
addSessions(program);
addWebhook(program);

/** The verbs of the commands that change a stack. */
const WRITES: Record<string, string> = {
  push: "push to",
  rollback: "roll back",
  format: "change the format of the tables",
  redrive: "redrive in",
  rm: "delete in",
  reconcile: "reconcile",
  put: "put a session into",
  edit: "edit a session of",
  import: "import sessions into",
};

program.hook("preAction", async (_, command) => {
  const reachesStack = command.options.some((option) => option.attributeName() === "local");
  // With a named queue, a command needs nothing else.
  if (!reachesStack || command.opts().queue !== undefined) return;
  const { connect } = await import("./stage/connect.ts");
  const shows = command.opts().dryRun || (command.name() === "format" && command.args.length === 0);
  const writes = shows ? undefined : WRITES[command.name()];
  if (!(await connect(command.opts(), writes))) throw new Declined();
});

// A reader that closes the pipe (`| head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

/** Further lines are indented, so that they cannot be mistaken for a message of gatehook. */
function tell(text: string): void {
  const [first = "", ...more] = toLines(`gatehook: ${text}`);
  printErrorText(first, ...more.map((line) => `  ${line}`));
}

// Node itself would print it without escapes.
process.on("uncaughtException", (thrown: unknown) => {
  tell(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  process.exit(1);
});

try {
  await program.parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else if (thrown instanceof Declined) process.exitCode = 1;
  else if (thrown instanceof Interrupted) process.exitCode = thrown.exitCode;
  else {
    tell(awsAdvice(thrown, process.env) ?? errorText(thrown));
    process.exitCode = thrown instanceof UsageError ? 2 : 1;
  }
}
