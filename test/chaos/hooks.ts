import { createHash } from "node:crypto";
import type { LogLine } from "../../cli/dev/log-lines.ts";
import type { Session } from "../../lib/sessions/session.ts";
import type { Got } from "./receiver.ts";
import { type ChaosEvent, windowsOf } from "./workload.ts";

/** A line of a log handler. */
export interface Line {
  prefix: string;
  /** The id of the event or of a window. */
  id: string;
  keyHash: string;
  /** For a window: its number of events. */
  count?: number;
}

/** Undefined for any other line. */
export function lineOf({ message, fields }: LogLine): Line | undefined {
  if (message !== "log handler") return undefined;
  const { prefix, event_id, key_hash, coalesced } = fields;
  const count = (coalesced as { Count: number } | undefined)?.Count;
  return {
    prefix: String(prefix),
    id: String(event_id),
    keyHash: String(key_hash),
    ...(count !== undefined && { count }),
  };
}

/** The effects of the other handlers: requests, lines and sessions. */
export interface Seen {
  got: Got[];
  lines: Line[];
  sessions: ReadonlyMap<string, Session>;
}

/** The errors of the other handlers. */
export interface HookAudit {
  /** Events whose webhook was not accepted by its target. */
  webhooksLost: string[];
  /** Wrong requests: with another id or body than before, or without a valid signature. */
  webhooksWrong: string[];
  /** Events without their line. */
  linesLost: string[];
  /** Handlers and keys whose windows do not count as many events as were sent, with both numbers. */
  miscounted: string[];
  /** The number of events of each window. */
  windows: number[];
}

/** Compares the requests, lines and windows of these events with the required ones. */
export function auditHooks(events: ChaosEvent[], { got, lines, sessions }: Seen): HookAudit {
  const taken = new Set(got.filter(({ isTaken }) => isTaken).map(webhookOf));
  const told = new Set(lines.map(({ prefix, id }) => `${prefix} ${id}`));
  const counted = countedOf(events);
  const windows = windowsIn(got, lines, sessions);
  const shown = sumsOf(windows);
  const ids = (lost: (event: ChaosEvent) => boolean) => events.filter(lost).map(({ id }) => id);
  return {
    webhooksLost: ids(({ webhook, id }) => webhook !== undefined && !taken.has(nameOf(webhook, id))),
    webhooksWrong: wrongOf(events, got),
    linesLost: ids(({ line, id }) => line !== undefined && !told.has(`${line} ${id}`)),
    miscounted: [...new Set([...counted.keys(), ...shown.keys()])].flatMap((group) => {
      const [has = 0, is = 0] = [shown.get(group), counted.get(group)];
      return has === is ? [] : [`${group}: ${has} of ${is}`];
    }),
    windows: windows.map(({ count }) => count),
  };
}

/** The members that the templates write. */
const memberOf = (body: string, name: "id" | "key") => {
  const [, value = ""] = new RegExp(`^\\{ "${name}": "([^"]*)" \\}\\n$`).exec(body) ?? [];
  return value;
};
const nameOf = (target: string, id: string) => `${target} ${id}`;
const webhookOf = ({ target, body, count }: Got) =>
  nameOf(target, memberOf(body, count === undefined ? "id" : "key"));

/** A webhook has one id, which is unique; a window is identified only by its id, and always has the same count. */
function wrongOf(events: ChaosEvent[], got: Got[]): string[] {
  const expected = new Set(events.flatMap(({ webhook, id }) => (webhook ? nameOf(webhook, id) : [])));
  const nameById = new Map<string, string>();
  const idByName = new Map<string, string>();
  return got.flatMap((one) => {
    const { id, target, count, isSigned } = one;
    const isWindow = count !== undefined;
    const name = isWindow ? `${webhookOf(one)} ${count}` : webhookOf(one);
    const isFirst = (known: Map<string, string>, key: string, value: string) =>
      (known.get(key) ?? known.set(key, value).get(key)) === value;
    const isKnown = isWindow ? target === "gust" : expected.has(name);
    const isSame = isFirst(nameById, id, name) && (isWindow || isFirst(idByName, name, id));
    return isKnown && isSame && isSigned && id !== "" ? [] : [`${id} (${name})`];
  });
}

/** A window, once for each successful run. */
interface Window {
  handler: string;
  key: string;
  count: number;
}

/** Two requests with one id are one window; a session must not contain a window twice. */
function windowsIn(got: Got[], lines: Line[], sessions: Seen["sessions"]): Window[] {
  const byId = new Map<string, Window>();
  for (const { target, id, body, count, isTaken } of got)
    if (count !== undefined && isTaken)
      byId.set(`webhook ${id}`, { handler: `webhook:${target}`, key: memberOf(body, "key"), count });
  for (const { prefix, id, keyHash, count } of lines)
    if (count !== undefined) byId.set(`line ${id}`, { handler: `log:${prefix}`, key: keyHash, count });
  const prefix = windowsOf("");
  const inSessions = [...sessions].flatMap(([name, { meta_data }]) =>
    name.startsWith(prefix)
      ? ((meta_data as { windows?: { count: number }[] } | undefined)?.windows ?? []).map(({ count }) => ({
          handler: "windower",
          key: name.slice(prefix.length),
          count,
        }))
      : [],
  );
  return [...byId.values(), ...inSessions];
}

const groupOf = (handler: string, key: string) => `${handler} of ${key}`;

function sumsOf(windows: Window[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { handler, key, count } of windows) {
    const group = groupOf(handler, key);
    sums.set(group, (sums.get(group) ?? 0) + count);
  }
  return sums;
}

/** The required number of events in the windows of a handler, by key; a line has the hash of its key. */
const countedOf = (events: ChaosEvent[]) =>
  sumsOf(
    events.flatMap(({ key, counted = [] }) =>
      counted.map((handler) => ({ handler, key: handler.startsWith("log:") ? hashOf(key) : key, count: 1 })),
    ),
  );

const hashOf = (key: string) => createHash("sha256").update(key).digest("hex").slice(0, 16);
