import type { Command } from "commander";
import { collect, repeatable, wholeNumber } from "../option-values.ts";

/** `gatehook webhook`: its command is loaded when it is called. */
export function addWebhook(program: Command): void {
  const webhook = program.command("webhook").description("tools for receivers of webhooks");

  webhook
    .command("verify")
    .description("check the signature of a received webhook: exit code 0, or 1 with the reason")
    .argument("<body>", "the file with its body, byte for byte, or - for standard input")
    .addOption(repeatable("--header <name: value>", "a header of the webhook", collect, []))
    .option("--headers <file>", "its headers: one on each line, as curl prints them, or a JSON object")
    .option(
      "--tolerance <seconds>",
      "how old its time stamp may be, or how far ahead",
      wholeNumber(1, 1_000_000_000),
      300,
    )
    .option("--json", "print one JSON object and nothing else")
    .addHelpText(
      "after",
      "\nThe environment variable WEBHOOK_SECRETS has the secret, or two secrets,\n" +
        "separated by a comma. A secret is never an argument.",
    )
    .action(async (body, options) => (await import("./webhook-verify.ts")).webhookVerify(body, options));
}
