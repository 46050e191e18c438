import type { Command } from "commander";
import { folder, reaching, wholeNumber, yes } from "../option-values.ts";

/** The commands of releases: each is loaded when it is called. */
export function addReleaseCommands(program: Command): void {
  program
    .command("check")
    .description(
      "check a folder as the releaser does, without AWS: exit code 0, or 1 with what would not go live",
    )
    .addOption(folder())
    .option("--json", "print one JSON object and nothing else")
    .action(async (options) => (await import("./check.ts")).check(options));

  reaching(program.command("push"))
    .description("make the bucket the same as a folder, and wait until the release is live or rejected")
    .addOption(folder())
    .option("--dry-run", "only say what would be uploaded and removed")
    .addOption(yes())
    .action(async (options) => (await import("./push.ts")).push(options));

  reaching(program.command("releases"))
    .description("list every release, the newest upload first, or print the report of one")
    .argument("[version]", "the release whose report to print")
    .option("--json", "print the whole reports as JSON and nothing else")
    .action(async (version, options) => (await import("./releases.ts")).releases(version, options));

  reaching(program.command("rollback"))
    .description("make an older release live again")
    .argument("[version]", "by default the last that was live before the one in use")
    .addOption(yes())
    .action(async (version) => (await import("./rollback.ts")).rollback(version));

  reaching(program.command("format"))
    .description("show the format of the tables, or change it (docs/operate.md says when)")
    .argument("[number]", "1, or 2", wholeNumber(1, 1_000))
    .addOption(yes())
    .option("--json", "print one JSON object and nothing else")
    .action(async (number, options) => (await import("./format.ts")).format(number, options));

  reaching(program.command("diff"))
    .description("show what changes from one release to another")
    .argument("<a>", "a version, or live")
    .argument("<b>", "a version, or live")
    .action(async (a, b) => (await import("./diff.ts")).diff(a, b));
}
