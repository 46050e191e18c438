import { text as readAll } from "node:stream/consumers";
import { openSessionsApi } from "../functions/sessions-api.ts";
import type { SessionsReply } from "../lib/sessions/api.ts";
import { changedByWriter } from "../lib/sessions/item.ts";
import { callerArn } from "./stage/connect.ts";
import { QUIET } from "./terminal/quiet.ts";

/** The options of the commands that name one session. */
export interface KeyOptions {
  /** The key is a hash, as the table has it under HASH_KEYS. */
  hashed?: boolean;
  json?: boolean;
}

/** What is asked of the sessions API's own rules, in this process. */
export interface Question {
  query?: Record<string, string>;
  ifMatch?: string | undefined;
  body?: string;
}

/** The sessions that the functions' settings name, by the rules of the HTTP API. */
export async function openSessionsOf({ hashed = false }: KeyOptions) {
  const api = openSessionsApi(process.env, QUIET);
  return {
    ask: (method: "GET" | "PUT" | "DELETE", key: string, question: Question = {}): Promise<SessionsReply> =>
      api.answer({
        route: `${method} /sessions/{key+}`,
        key,
        query: { ...(hashed && { hashed: "true" }), ...question.query },
        ifMatch: question.ifMatch,
        body: question.body ?? "",
        changedBy: changedByWriter("cli", callerArn()),
      }),
    end: api.end,
  };
}

/** The caller calls `end`. */
export type OpenSessionsOf = Awaited<ReturnType<typeof openSessionsOf>>;

/** A key that an argument names; `-` is standard input, so that the key is not in the shell's history. */
export async function keyFrom(argument: string): Promise<string> {
  return argument === "-" ? (await readAll(process.stdin)).replace(/\r?\n$/, "") : argument;
}

/** The entity tag of a reply with its quotes; "" without one. */
export const etagIn = ({ headers = {} }: SessionsReply) => headers.etag ?? "";
/** The version of the session: what its entity tag has between the quotes. */
export const versionIn = (reply: SessionsReply) => Number(etagIn(reply).replaceAll('"', ""));

/** A session's text, one member a line. */
export const pretty = (text: string) => `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
