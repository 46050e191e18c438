// npm run bench:codec [-- --json]: the time to convert a session from the table to a script and back, compared with a
// plain JSON round trip of the same text, and with the exact decoder alone. All are measured in turns in one run, so
// that other load on the machine affects all of them. Compare the ratios, not the times.
import type { Session } from "../lib/sessions/session.ts";
import * as session from "../lib/sessions/session.ts";
import * as whole from "../lib/sessions/whole.ts";
import * as exact from "../test/helpers/exact-session.ts";
import { median } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";

const ROUNDS = 60;
const TIMES = 300;
/** The maximum time to show a session to a script, in JSON round trips. */
const TARGET = 10;
const SET = { suppressReset: false, now: 1_787_396_400, allowMasterKeys: false };

const quota = {
  quota_max: 1000,
  quota_renews: 1_795_445_195,
  quota_remaining: 900,
  quota_renewal_rate: 3600,
};
const small = {
  rate: 100,
  per: 60,
  date_created: "2026-08-01T10:00:00.123456789Z",
  quota_max: 1000,
  quota_remaining: 900,
  access_rights: { demo: { api_name: "Demo", api_id: "demo", versions: ["Default"] } },
  org_id: "demo",
};
const right = (nth: number) => ({
  api_name: `Api number ${nth}`,
  api_id: `api${nth}`,
  versions: ["Default"],
  allowed_urls: [{ url: "/status/(.*)", methods: ["GET", "POST"] }],
  limit: { rate: 100, per: 60, ...quota },
});
const large = {
  ...small,
  access_rights: Object.fromEntries(Array.from({ length: 8 }, (_, nth) => [`api${nth}`, right(nth)])),
  meta_data: { owner: { ids: [1, 2, 3], mail: "someone@example.com" }, plan: "gold" },
  tags: Array.from({ length: 8 }, (_, nth) => `tag-number-${nth}`),
};

/** The sample with an alias that makes its text exactly this long. */
function sized(sample: object, bytes: number): object {
  const alias = "a".repeat(bytes - JSON.stringify({ ...sample, alias: "" }).length);
  return { ...sample, alias };
}

const SAMPLES = { "250": sized(small, 250), "2700": sized(large, 2_700) };

/** A table returns the members of an object in its own order. */
function inTableOrder(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(inTableOrder);
  const members = Object.entries(value).map(([name, member]) => [name, inTableOrder(member)]);
  return Object.fromEntries(members.reverse());
}

type Codec = typeof exact;

/** Shows a row to a script. The row is parsed each time, so that nothing is remembered of it. */
const show = (codec: Codec, row: string) => codec.showSession(JSON.parse(row) as Session);

/** The same, and then stores the script's session over it. */
function edit(codec: Codec, row: string, text: string): Session {
  const stored = JSON.parse(row) as Session;
  codec.showSession(stored);
  return codec.keepUnknown(codec.applySet(codec.keepPassword(codec.parseSession(text), stored), SET), stored);
}

const CODECS = { exact, codec: { ...session, ...whole } };

function worksFor(sample: object): Record<string, () => unknown> {
  const text = JSON.stringify(sample);
  const row = JSON.stringify(inTableOrder(sample));
  const works: Record<string, () => unknown> = { json: () => JSON.stringify(JSON.parse(text)) };
  for (const [name, codec] of Object.entries(CODECS)) {
    if (show(codec, row) !== text) throw new Error(`${name} does not print the sample as it is`);
    works[`${name}_show`] = () => show(codec, row);
    works[`${name}_show_and_set`] = () => edit(codec, row, text);
  }
  return works;
}

/** The median time of each, in microseconds. */
function inTurns(works: Record<string, () => unknown>, rounds: number): Record<string, number> {
  const taken = Object.fromEntries(Object.keys(works).map((name): [string, number[]] => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [name, work] of Object.entries(works)) {
      const started = performance.now();
      for (let nth = 0; nth < TIMES; nth += 1) work();
      taken[name]?.push(((performance.now() - started) * 1000) / TIMES);
    }
  return Object.fromEntries(Object.entries(taken).map(([name, us]) => [name, rounded(median(us))]));
}

const rounded = (value: number) => Math.round(value * 100) / 100;

export interface CodecResult {
  target: number;
  /** By the size of the session: the time of each, and its ratio to a JSON round trip. */
  bytes: Record<string, { us: Record<string, number>; ratios: Record<string, number> }>;
}

async function measure({ quick }: { quick: boolean }): Promise<CodecResult> {
  const bytes: CodecResult["bytes"] = {};
  for (const [size, sample] of Object.entries(SAMPLES)) {
    const us = inTurns(worksFor(sample), quick ? 1 : ROUNDS);
    const ratios = Object.entries(us).map(([name, one]) => [name, rounded(one / (us.json ?? Number.NaN))]);
    bytes[size] = { us, ratios: Object.fromEntries(ratios) };
  }
  return { target: TARGET, bytes };
}

const NAMES: Record<string, string> = {
  json: "a JSON round trip",
  exact_show: "shown to a script by the exact decoder alone",
  exact_show_and_set: "shown and set by the exact decoder alone",
  codec_show: "shown to a script",
  codec_show_and_set: "shown and set",
};

export const codec: Part<CodecResult> = {
  name: "codec",
  measure,
  tables: ({ bytes }) => [
    {
      title: "A session on its way to a script and back",
      heads: ["what", "bytes", "µs", "JSON round trips"],
      rows: Object.entries(bytes).flatMap(([size, { us, ratios }]) =>
        Object.entries(us).map(([name, one]) => [NAMES[name] ?? name, size, one, ratios[name] ?? ""]),
      ),
    },
  ],
};

if (import.meta.main) await runPart(codec);
