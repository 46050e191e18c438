import { type Command, Option } from "commander";
import { perSecond, reaching, unixTime, wholeNumber, yes } from "../option-values.ts";

const KEY = "the raw key, - for standard input";
const hashed = () => new Option("--hashed", "the key is its hash, as the table has it under HASH_KEYS");
const json = () => new Option("--json", "print one JSON object and nothing else");

/** `gatehook sessions`: each of its commands is loaded when it is called. */
export function addSessions(program: Command): void {
  const sessions = program
    .command("sessions")
    .description("look at sessions, change them, move them, and compare them with the gateway's");

  const found = (command: Command) =>
    reaching(command)
      .option("--org <id>", "of this organisation, by their end, the earliest first")
      .option("--limit <number>", "how many at most", wholeNumber(1, 100_000), 50)
      .option("--cursor <text>", "go on where the answer before ended")
      .option("--full", "with the whole sessions, passwords blank")
      .addOption(json());
  found(sessions.command("ls"))
    .description("list sessions")
    .action(async (options) => (await import("./sessions-find.ts")).sessionsLs(options));

  found(sessions.command("query"))
    .description("find sessions: every condition that is given holds")
    .option(
      "--expires-from <time>",
      "whose key ends then or later: now, +7d, 2026-12-24, unix seconds",
      unixTime,
    )
    .option("--expires-to <time>", "whose key ends then or earlier", unixTime)
    .option("--never-expires", "whose key has no end")
    .option("--alias <text>", "with this alias")
    .option("--tag <text>", "with this tag")
    .option("--handler <name>", "that this handler changed last")
    .option("--event <type>", "that a handler changed last, for an event of this type")
    .option("--inactive", "that are switched off (is_inactive)")
    .option("--active", "that are not")
    .option("--scan", "read the whole table where no index has the answer")
    .action(async (options) => (await import("./sessions-find.ts")).sessionsQuery(options));

  reaching(sessions.command("get"))
    .description("the session of a key, as a handler reads it; passwords blank")
    .argument("<key>", KEY)
    .addOption(hashed())
    .addOption(json())
    .action(async (key, options) => (await import("./sessions-get.ts")).sessionsGet(key, options));

  reaching(sessions.command("put"))
    .description("store a whole session, as TykSetKeyData does: the quota starts again")
    .argument("<key>", KEY)
    .argument("<file>", "the session as JSON, - for standard input")
    .option("--suppress-reset", "leave quota and last_updated as they are given")
    .option("--if-version <number>", "only over this version", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .addOption(hashed())
    .addOption(yes())
    .addOption(json())
    .action(async (key, file, options) =>
      (await import("./sessions-put.ts")).sessionsPut(key, file, options),
    );

  reaching(sessions.command("edit"))
    .description("open a session in $VISUAL or $EDITOR, and store it over the version that was read")
    .argument("<key>", "the raw key")
    .option("--reset", "start the quota again")
    .addOption(hashed())
    .addOption(yes())
    .addOption(json())
    .action(async (key, options) => (await import("./sessions-edit.ts")).sessionsEdit(key, options));

  reaching(sessions.command("rm"))
    .description("delete sessions, after a yes")
    .argument("<keys...>", KEY)
    .option("--yes", "do not ask")
    .addOption(hashed())
    .addOption(json())
    .action(async (keys, options) => (await import("./sessions-rm.ts")).sessionsRm(keys, options));

  reaching(sessions.command("import"))
    .description("sessions from a file, or from a gateway, into the table; never over what is newer")
    .argument("[file]", "JSON lines, of an export or of Redis; - for standard input")
    .option("--gateway [url]", "from a gateway's key API with GATEWAY_SECRET: by default that of GATEWAY_URL")
    .option("--keys <file>", "with --gateway: raw keys, one a line, instead of the gateway's list")
    .option("--hashed", "the keys of a file that does not say it are hashes")
    .option("--from-line <number>", "begin there", wholeNumber(1, Number.MAX_SAFE_INTEGER), 1)
    .option(
      "--rate <number/s>",
      "writes per second, and requests to a gateway",
      perSecond(0.1, 100_000),
      2_000,
    )
    .option("--report <file>", "a file for what was left out, a JSON object a line")
    .option("--dry-run", "only say what would be done")
    .addOption(yes())
    .addOption(json())
    .action(async (file, options) => (await import("./sessions-import.ts")).sessionsImport(file, options));

  reaching(sessions.command("export"))
    .description(
      "every session of the table as JSON lines; with passwords and other secrets as they are stored",
    )
    .argument("<file>", "a new file, - for standard output")
    .addOption(
      new Option("--format <name>", "redis: as a dump of a gateway's Redis has them")
        .choices(["lines", "redis"])
        .default("lines"),
    )
    .option("--force", "write over a file that is there")
    .option("--rate <number/s>", "rows per second", perSecond(1, 1_000_000), 100_000)
    .addOption(json())
    .action(async (file, options) => (await import("./sessions-export.ts")).sessionsExport(file, options));

  reaching(sessions.command("diff"))
    .description("what the table and the gateway have of a key: exit code 0 when they agree, else 1")
    .argument("<key>", "the key as events and the table have it: of a custom key the full name")
    .addOption(json())
    .action(async (key, options) => (await import("./sessions-diff.ts")).sessionsDiff(key, options));

  reaching(sessions.command("hash"))
    .description("the name that a key has in the table under HASH_KEYS, as the functions' settings are here")
    .argument("<key>", "the raw key, - for standard input")
    .action(async (key) => (await import("./sessions-hash.ts")).sessionsHash(key));

  reaching(sessions.command("reconcile"))
    .description("compare all rows with the gateway, and have those that differ looked at")
    .option("--rate <number/s>", "how many rows to compare per second", perSecond(0.1, 10_000), 50)
    .option(
      "--trust-empty",
      "believe the gateway that keys are gone, however many: for a store that was emptied",
    )
    .option("--yes", "do not ask, also before the canary is made again with --trust-empty")
    .addOption(json())
    .action(async (options) => (await import("./sessions-reconcile.ts")).sessionsReconcile(options));
}
