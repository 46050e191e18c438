import type { Command } from "commander";
import { folder } from "../option-values.ts";

const ofGateway = (command: Command) =>
  command
    .requiredOption("--apps <folder>", "the gateway's folder of API definitions: its app_path")
    .option(
      "--scripts <folder>",
      "what its paths of handlers start from; by default the folder around --apps",
    )
    .option("--tyk-conf <file>", "its configuration, for the events that do not belong to an API")
    .addOption(folder())
    .option("--out <folder>", "for the files that the gateway loads; by default gateway/ in --dir")
    .option("--dry-run", "only say what would be written")
    .option("--json", "print one JSON object and nothing else");

/** `gatehook attach` and `detach`: each is loaded when it is called. */
export function addGatewayCommands(program: Command): void {
  ofGateway(program.command("attach"))
    .description("take over the handlers of a gateway, and write the files that it loads instead")
    .option("--url <address>", "where the gateway sends its events; by default the local stack that runs")
    .option("--force", "also replace files of apis/ and handlers/, gateway.json and tykjs.js that differ")
    .addHelpText(
      "after",
      "\nNothing is written into the gateway's folder. Its webhooks have the token\n" +
        "that the environment variable INGEST_TOKEN holds, if it is set.",
    )
    .action(async (options) => (await import("./attach.ts")).attach(options));

  ofGateway(program.command("detach"))
    .description("write the files with which an attached gateway runs its handlers itself again")
    .action(async (options) => (await import("./detach.ts")).detach(options));
}
