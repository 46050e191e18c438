import { keyName } from "../../functions/key-names.ts";
import { isAsked } from "../../lib/gateway/asked.ts";
import type { Look } from "../../lib/gateway/client.ts";
import { compareMembers, type MemberPair } from "../../lib/gateway/difference.ts";
import { createdOf } from "../../lib/gateway/row.ts";
import type { Copy } from "../../lib/gateway/rows.ts";
import { openSessions } from "../gateway.ts";
import { type Column, cut, lineWidth, table, wrapped } from "../terminal/layout.ts";
import { print, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** `gatehook sessions diff`: compares both sides of a key; exit code 0 if they are equal. */
export async function sessionsDiff(key: string, { json }: { json?: boolean }): Promise<void> {
  if (!isAsked(key)) throw new UsageError("no gateway is asked for a key of this form, and no row has it");
  const { gateway, rows } = await openSessions();
  const name = keyName(process.env)(key);
  try {
    const [copy, look] = await Promise.all([rows.copy(name), gateway.get(name)]);
    const theirs = look === "missing" ? undefined : look.session;
    const members = compareMembers(copy?.session, theirs);
    const verdict = verdictOf(copy, look, members);
    if (json) printJson(asJson(copy, look, members, verdict));
    else print(...linesOf(copy, look, members, verdict));
    if (!verdict.agree) process.exitCode = 1;
  } finally {
    await gateway.close();
  }
}

interface Verdict {
  agree: boolean;
  text: string;
}

function verdictOf(copy: Copy | undefined, look: Look, members: MemberPair[]): Verdict {
  const agreed = (text: string) => ({ agree: true, text });
  const differ = (text: string) => ({ agree: false, text: `they differ: ${text}` });
  if (!copy && look === "missing")
    return agreed(
      "neither side has this key; a custom key has its organisation in its name, as events carry it",
    );
  if (!copy) return agreed("they agree: the table makes its copy when a handler asks for it");
  if (look === "missing")
    return copy.gateway?.gone
      ? agreed("they agree: the gateway has deleted the key")
      : differ("the gateway does not have the key, but the row is not a tombstone");
  if (!copy.session) return differ("the gateway has the key, but the row is not of a living key");
  if (!copy.gateway) return differ("the row is older than GATEWAY_URL: it is not known what the gateway had");
  if (copy.gateway.created !== createdOf(look.session))
    return differ("the gateway has another key of this name");
  const names = members.flatMap(({ name, same }) => (same ? [] : [name]));
  return names.length === 0 ? agreed("they agree") : differ(names.join(", "));
}

function asJson(copy: Copy | undefined, look: Look, members: MemberPair[], { agree, text }: Verdict) {
  const { created, change, gone, look: doubt } = copy?.gateway ?? {};
  return {
    agree,
    verdict: text,
    table: copy
      ? {
          version: copy.version,
          date_created: created ?? null,
          tombstone: gone ?? false,
          in_doubt_since: doubt === undefined ? null : iso(doubt),
          change: change
            ? {
                since: iso(change.since),
                quota_reset: change.reset ?? null,
                taken_until: change.until === undefined ? null : iso(change.until),
                undone: change.undone ?? 0,
              }
            : null,
        }
      : null,
    gateway: look === "missing" ? null : { date_created: createdOf(look.session) },
    members,
  };
}

const NONE = "-";

/** Longer values are truncated. */
const COLUMNS: Column[] = [{ head: "MEMBER" }, { head: "TABLE", least: 16 }, { head: "GATEWAY", least: 16 }];

function linesOf(copy: Copy | undefined, look: Look, members: MemberPair[], { text }: Verdict): string[] {
  const width = lineWidth();
  const states = [
    ...stateOf(copy).map((state) => `table    ${state}`),
    `gateway  ${look === "missing" ? "does not have the key" : `has the key, made ${createdOf(look.session) || "at a time that it does not say"}`}`,
  ];
  const rows = members.map(({ name, table: ours, gateway, same }) => ({
    cells: [`${same ? " " : "!"} ${name}`, valueText(ours), valueText(gateway)],
  }));
  return [
    ...states.flatMap((state) => wrapped(state, width, " ".repeat(9))),
    ...(rows.length > 0 ? ["", ...table(COLUMNS, rows, width), ""] : []),
    ...wrapped(text, width, "  "),
  ];
}

function stateOf(copy: Copy | undefined): string[] {
  if (!copy) return ["has no row"];
  const { change, gone, look } = copy.gateway ?? {};
  const states = [`has a row, version ${copy.version}`];
  if (gone) states.push("a tombstone: handlers see a missing key");
  if (change) states.push(changeText(change));
  if (look !== undefined) states.push(`in doubt since ${iso(look)}: gateway-sync is to look at the gateway`);
  return states;
}

function changeText({ since, until, reset }: NonNullable<NonNullable<Copy["gateway"]>["change"]>): string {
  const taken = until !== undefined ? `, taken; it is looked at again at ${iso(until)}` : "";
  return `a change is on its way since ${iso(since)}${taken}${reset === "wanted" ? ", with a new start of the quota" : ""}`;
}

const valueText = (value: unknown) => (value === undefined ? NONE : cut(JSON.stringify(value), VALUE_WIDTH));
const VALUE_WIDTH = 40;
const iso = (ms: number) => new Date(ms).toISOString();
