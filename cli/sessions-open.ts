import { text as readAll } from "node:stream/consumers";
import { openSessionsApi } from "../functions/sessions-api.ts";
import type { SessionsReply } from "../lib/sessions/api.ts";
import { changedByWriter } from "../lib/sessions/item.ts";
import { callerArn } from "./stage/connect.ts";
import { QUIET } from "./terminal/quiet.ts";

/** The options of the commands that name one session. */
export interface KeyOptions {
  /** The key is a hash, as in a table with HASH_KEYS. */
  hashed?: boolean;
  json?: boolean;
}

/** A request to the sessions API in this process. */
export interface Question {
  query?: Record<string, string>;
  ifMatch?: string | undefined;
  body?: string;
}

/** Opens the sessions table of the functions' settings, with the rules of the HTTP API. */
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

/** The key of an argument; `-` means standard input, so that the key is not in the shell's history. */
export async function keyFrom(argument: string): Promise<string> {
  return argument === "-" ? (await readAll(process.stdin)).replace(/\r?\n$/, "") : argument;
}

/** The entity tag of a reply with its quotes; "" without one. */
export const etagIn = ({ headers = {} }: SessionsReply) => headers.etag ?? "";
/** The version of the session, from its entity tag without the quotes. */
export const versionIn = (reply: SessionsReply) => Number(etagIn(reply).replaceAll('"', ""));

/** A session's text with one member on each line. */
export const pretty = (text: string) => `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
