import { type Command, InvalidArgumentError, Option } from "commander";

/** Parsers of options' values: a wrong one is told with what it must be. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== "" && Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** `20`, `20/s` or `0.5/s`. */
export function perSecond(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(/^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text.trim())?.[1] ?? Number.NaN);
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a number per second from ${min} to ${max}, such as 20/s.`);
  };
}

/** Of each command that reaches a stack: before it runs, its environment is set to that of this one. */
export function reaching(command: Command): Command {
  return command
    .option("--local", "the stack of gatehook dev in this folder, which is found by itself without settings")
    .option("--stage <name>", "a deployed stage of this folder's gatehook.json")
    .option("--region <name>", "with --stage: by default the stage's in gatehook.json, or AWS_REGION");
}

export const yes = () => new Option("--yes", "do not ask, also for prod, production and live");
