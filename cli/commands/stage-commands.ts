import { type Command, Option } from "commander";
import { folder, JSON_OPTION, nameAndValue, repeatable, yes } from "../option-values.ts";

const target = (command: Command) =>
  command
    .addOption(
      new Option("--dir <folder>", "the folder with gatehook.json, apis/ and handlers/").default("."),
    )
    .option("--stage <name>", "the stage: one of gatehook.json, or any where it lists none; else dev")
    .option("--region <name>", "by default the stage's in gatehook.json, or AWS_REGION");
const set = (command: Command) =>
  command.addOption(repeatable("--set <NAME=value>", "a setting of docs/settings.md", nameAndValue, {}));

/** The commands that package and deploy: each is loaded when it is called. */
export function addStageCommands(program: Command): void {
  set(target(program.command("package")))
    .description("package the functions and check the template, without AWS")
    .option("--template <folder>", "write a CloudFormation template with zips for CDK, SAM or Terraform")
    .option(...JSON_OPTION)
    .action(async (options) => (await import("./package.ts")).packageCommand(options));

  set(target(program.command("deploy")))
    .description("package a stage, and make or update its stack")
    .addOption(yes())
    .option(...JSON_OPTION)
    .action(async (options) => (await import("./deploy.ts")).deploy(options));

  target(program.command("remove"))
    .description("remove a stage's stack; tables, queues and bucket stay unless onRemove says otherwise")
    .option("--yes", "do not ask")
    .option(...JSON_OPTION)
    .action(async (options) => (await import("./remove.ts")).remove(options));

  program
    .command("eject")
    .description(
      "write serverless.yml and what it needs into the folder, for osls or the Serverless Framework",
    )
    .addOption(folder())
    .option(...JSON_OPTION)
    .action(async (options) => (await import("./eject.ts")).eject(options));
}
