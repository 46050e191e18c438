import { type Command, Option } from "commander";
import { perSecond, reaching } from "./option-values.ts";

const json = () => new Option("--json", "print one JSON object and nothing else");

/** `gatehook sessions`: each of its commands is loaded when it is called. */
export function addSessions(program: Command): void {
  const sessions = program
    .command("sessions")
    .description("look at the sessions table, and compare it with the gateway that owns the sessions");

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
