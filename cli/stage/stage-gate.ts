import { confirm, type Terminal } from "../terminal/confirm.ts";
import { interruption } from "../terminal/interrupt.ts";
import { printError } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** A stack, and its account and region. */
export interface Place {
  stack: string;
  account: string;
  region: string;
}

/** Such as `gatehook-prod in account 123456789012, region eu-west-1`. */
export const placeText = ({ stack, account, region }: Place) =>
  `${stack} in account ${account}, region ${region}`;

/** Prints the action and the stage, and asks for confirmation if required; false means no. */
export type Gate = (doing: { verb: string; place: Place }) => Promise<boolean>;

/**
 * Runs before every command that writes to a stage. Throws a UsageError, before anything else is done, if a
 * confirmation is needed and there is no terminal.
 */
export function stageGate(
  { asks, yes }: { asks: boolean; yes: boolean | undefined },
  stack: string,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Gate {
  if (asks && !yes && !terminal.input.isTTY)
    throw new UsageError(`this writes to ${stack}, and there is no terminal to confirm it: add --yes`);
  return async ({ verb, place }) => {
    const what = `${verb} ${placeText(place)}`;
    if (!asks || yes) {
      printError(`gatehook: ${what}`);
      return true;
    }
    const said = await confirm(`${what}?`, terminal, interruption());
    if (!said) printError("gatehook: nothing was done");
    return said;
  };
}
