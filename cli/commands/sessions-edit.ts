import { isDeepStrictEqual } from "node:util";
import { AppError } from "../../lib/errors.ts";
import { jsonMistake } from "../../lib/json-mistake.ts";
import type { SessionsReply } from "../../lib/sessions/api.ts";
import { type MergedMember, threeWay } from "../../lib/sessions/three-way.ts";
import {
  etagIn,
  type KeyOptions,
  keyFrom,
  type OpenSessionsOf,
  openSessionsOf,
  pretty,
  versionIn,
} from "../sessions-open.ts";
import { confirm } from "../terminal/confirm.ts";
import { edit } from "../terminal/editor.ts";
import { interruption } from "../terminal/interrupt.ts";
import { type Column, cut, lineWidth, table } from "../terminal/layout.ts";
import { print, printError, printErrorText } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";
import { tellChange } from "./sessions-put.ts";

/** Without `reset`, the quota is stored as edited. */
export interface EditOptions extends KeyOptions {
  /** Resets the quota. */
  reset?: boolean;
}

type Members = Record<string, unknown>;

/** `gatehook sessions edit`: opens a session in an editor, and stores it if its version has not changed. */
export async function sessionsEdit(argument: string, options: EditOptions): Promise<void> {
  if (argument === "-") throw new UsageError("an editor needs standard input for itself: name the key");
  const key = await keyFrom(argument);
  const sessions = await openSessionsOf(options);
  const stop = interruption();
  try {
    let read = await sessions.ask("GET", key);
    let text = pretty(read.body);
    for (;;) {
      const edited = await edit(text, "session.json");
      if (isSame(edited, read.body)) {
        print("nothing was changed");
        return;
      }
      const outcome = await put(sessions, key, edited, read, options);
      if (outcome === "done") return;
      text = edited;
      if (outcome === "changed") {
        const now = await sessions.ask("GET", key);
        const { merged, changes } = threeWay(membersOf(read.body), membersOf(edited), membersOf(now.body));
        print(...viewOf(changes));
        read = now;
        text = `${JSON.stringify(merged, null, 2)}\n`;
      }
      const question =
        outcome === "changed" ? "edit again, with your changes made to what it is now?" : "edit again?";
      if (!(await again(question, stop))) {
        printErrorText("gatehook: nothing was changed");
        process.exitCode = 1;
        return;
      }
    }
  } finally {
    await sessions.end();
  }
}

/** "invalid": it is not a session, and the error was printed; "changed": somebody else has changed it since. */
async function put(
  sessions: OpenSessionsOf,
  key: string,
  body: string,
  read: SessionsReply,
  options: EditOptions,
): Promise<"done" | "invalid" | "changed"> {
  try {
    const query: Record<string, string> = options.reset ? {} : { suppress_reset: "1" };
    const reply = await sessions.ask("PUT", key, { body, ifMatch: etagIn(read), query });
    tellChange(versionIn(reply), reply.body, options);
    return "done";
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    if (thrown.code === "session-mismatch") {
      printErrorText("gatehook: somebody has changed this session since you read it");
      return "changed";
    }
    if (!MISTAKES.has(thrown.code)) throw thrown;
    const mistake = jsonMistake(body);
    printError(
      mistake
        ? `error    line ${mistake.line}, column ${mistake.column}: ${mistake.message}`
        : `error    ${thrown.message}`,
    );
    return "invalid";
  }
}

const MISTAKES = new Set(["session-invalid", "session-too-large", "session-refused"]);

/** If the editor is a script, it runs only once. */
async function again(question: string, stop: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  return confirm(question, { input: process.stdin, output: process.stderr }, stop);
}

const membersOf = (text: string) => JSON.parse(text) as Members;

function isSame(edited: string, body: string): boolean {
  return !jsonMistake(edited) && isDeepStrictEqual(JSON.parse(edited), JSON.parse(body));
}

const COLUMNS: Column[] = [
  { head: "MEMBER" },
  { head: "WAS", least: 10 },
  { head: "YOURS", least: 10 },
  { head: "THEIRS", least: 10 },
];

function viewOf(changes: MergedMember[]): string[] {
  const rows = changes.map(({ name, base, mine, theirs, conflict }) => ({
    cells: [`${conflict ? "!" : " "} ${name}`, ...[base, mine, theirs].map(valueText)],
  }));
  return table(COLUMNS, rows, lineWidth());
}

const VALUE_WIDTH = 40;
const valueText = (value: unknown) => (value === undefined ? "-" : cut(JSON.stringify(value), VALUE_WIDTH));
