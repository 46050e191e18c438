import { type Command, Option } from "commander";
import { perSecond, reaching, unixTime, wholeNumber, yes } from "../option-values.ts";

const KEY = "the raw key, - for standard input";
const hashed = () => new Option("--hashed", "the key is its hash, as the table has it under HASH_KEYS");
const json = () => new Option("--json", "print one JSON object and nothing else");

/** `gatehook sessions`: each of its commands is loaded when it is called. */
export function addSessions(program: Command): void {
  const sessions = program
    .command("sessions")
    .description("show, change, import and export sessions, and compare them with the gateway's");

  const found = (command: Command) =>
    reaching(command)
      .option("--org <id>", "of this organisation, by expiry, the earliest first")
      .option("--limit <number>", "how many at most", wholeNumber(1, 100_000), 50)
      .option("--cursor <text>", "continue after the previous result")
      .option("--full", "with the complete sessions, passwords blank")
      .addOption(json());
  found(sessions.command("ls"))
    .description("list sessions")
    .action(async (options) => (await import("./sessions-find.ts")).sessionsLs(options));

  found(sessions.command("query"))
    .description("find the sessions that match all conditions")
    .option(
      "--expires-from <time>",
      "whose key ends then or later: now, +7d, 2026-12-24, unix seconds",
      unixTime,
    )
    .option("--expires-to <time>", "whose key expires then or earlier", unixTime)
    .option("--never-expires", "whose key never expires")
    .option("--alias <text>", "with this alias")
    .option("--tag <text>", "with this tag")
    .option("--handler <name>", "that this handler changed last")
    .option("--event <type>", "that a handler changed last, for an event of this type")
    .option("--inactive", "that are inactive (is_inactive)")
    .option("--active", "that are active")
    .option("--scan", "read the whole table if no index can be used")
    .action(async (options) => (await import("./sessions-find.ts")).sessionsQuery(options));

  reaching(sessions.command("get"))
    .description("print the session of a key, as a handler reads it; passwords blank")
    .argument("<key>", KEY)
    .addOption(hashed())
    .addOption(json())
    .action(async (key, options) => (await import("./sessions-get.ts")).sessionsGet(key, options));

  reaching(sessions.command("put"))
    .description("store a complete session, as TykSetKeyData does: the quota is reset")
    .argument("<key>", KEY)
    .argument("<file>", "the session as JSON, - for standard input")
    .option("--suppress-reset", "keep the given quota and last_updated")
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
    .option("--reset", "reset the quota")
    .addOption(hashed())
    .addOption(yes())
    .addOption(json())
    .action(async (key, options) => (await import("./sessions-edit.ts")).sessionsEdit(key, options));

  reaching(sessions.command("rm"))
    .description("delete sessions; asks first")
    .argument("<keys...>", KEY)
    .option("--yes", "do not ask")
    .addOption(hashed())
    .addOption(json())
    .action(async (keys, options) => (await import("./sessions-rm.ts")).sessionsRm(keys, options));

  reaching(sessions.command("import"))
    .description("import sessions from a file or a gateway; never replaces newer ones")
    .argument("[file]", "JSON lines, of an export or of Redis; - for standard input")
    .option("--gateway [url]", "from a gateway's key API with GATEWAY_SECRET: by default that of GATEWAY_URL")
    .option("--keys <file>", "with --gateway: raw keys, one on each line, instead of the gateway's list")
    .option("--hashed", "the keys are hashes, if the file does not say so")
    .option("--from-line <number>", "begin there", wholeNumber(1, Number.MAX_SAFE_INTEGER), 1)
    .option(
      "--rate <number/s>",
      "writes per second, and requests to a gateway",
      perSecond(0.1, 100_000),
      2_000,
    )
    .option("--report <file>", "a file for the lines that were not imported, one JSON object on each line")
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
    .option("--force", "overwrite an existing file")
    .option("--rate <number/s>", "rows per second", perSecond(1, 1_000_000), 100_000)
    .addOption(json())
    .action(async (file, options) => (await import("./sessions-export.ts")).sessionsExport(file, options));

  reaching(sessions.command("diff"))
    .description("compare a key in the table and at the gateway: exit code 0 if they are equal, otherwise 1")
    .argument("<key>", "the key as in events and the table: for a custom key the full name")
    .addOption(json())
    .action(async (key, options) => (await import("./sessions-diff.ts")).sessionsDiff(key, options));

  reaching(sessions.command("hash"))
    .description("print the name of a key in the table, with HASH_KEYS as in the environment")
    .argument("<key>", "the raw key, - for standard input")
    .action(async (key) => (await import("./sessions-hash.ts")).sessionsHash(key));

  reaching(sessions.command("reconcile"))
    .description("compare all rows with the gateway, and settle those that differ")
    .option("--rate <number/s>", "how many rows to compare per second", perSecond(0.1, 10_000), 50)
    .option(
      "--trust-empty",
      "believe the gateway that keys are gone, however many: for a store that was emptied",
    )
    .option("--yes", "do not ask, also before the canary is created again with --trust-empty")
    .addOption(json())
    .action(async (options) => (await import("./sessions-reconcile.ts")).sessionsReconcile(options));
}
