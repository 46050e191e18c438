// npm run bench:profile: on what the consumer's main thread spends its time, according to V8's profiler.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startContainer } from "./shared/container.ts";
import { type Part, runPart } from "./shared/part.ts";
import { openPlace } from "./shared/place.ts";
import { EDITOR_RELEASE, keysOf, SESSIONS, type SessionSize } from "./shared/samples.ts";

const BATCH = 100;
const EVENTS = 4_000;
const KEYS = 1_000;
const SIZES: SessionSize[] = ["250 B", "2.7 KB"];

/** The groups, with a pattern for the place of a function; the first that matches counts. */
const GROUPS: [what: string, place: RegExp][] = [
  ["garbage collection", /^\(garbage collector\)/],
  ["AWS SDK", /node_modules\/(@aws-sdk|@smithy|@aws-crypto)\//],
  ["log and metrics (Powertools, Middy)", /node_modules\/(@aws-lambda-powertools|@middy)\//],
  ["sessions: decoded, changed, printed", /\/lib\/(go|sessions)\//],
  ["DynamoDB's attributes, to and from", /\/lib\/dynamo\//],
  ["the consumer", /\/(lib|functions)\//],
  ["Node: sockets, HTTP, messages, promises", /^node:|^$/],
];
const OTHERS = "others";

export interface ProfileResult {
  /** By session size: the share of each group in percent. */
  shares: Partial<Record<SessionSize, Record<string, number>>>;
}

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
}

function groupOf({ functionName, url }: Profile["nodes"][number]["callFrame"]): string {
  const place = functionName.startsWith("(") ? functionName : url;
  return GROUPS.find(([, pattern]) => pattern.test(place))?.[0] ?? OTHERS;
}

/** The share of each group in the time that is not idle, in percent. */
function sharesOf({ nodes, samples, timeDeltas }: Profile): Record<string, number> {
  const groups = new Map(nodes.map(({ id, callFrame }) => [id, groupOf(callFrame)]));
  const idle = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === "(idle)").map(({ id }) => id),
  );
  const times = new Map<string, number>();
  let all = 0;
  for (const [at, id] of samples.entries()) {
    if (idle.has(id)) continue;
    const time = timeDeltas[at] ?? 0;
    const group = groups.get(id) ?? OTHERS;
    times.set(group, (times.get(group) ?? 0) + time);
    all += time;
  }
  const sorted = [...times].toSorted(([, a], [, b]) => b - a);
  return Object.fromEntries(sorted.map(([group, time]) => [group, Math.round((100 * time) / all)]));
}

async function measure({ quick }: { quick: boolean }): Promise<ProfileResult> {
  const place = await openPlace();
  const shares: ProfileResult["shares"] = {};
  try {
    const { env, putSessions } = await place.space(EDITOR_RELEASE);
    for (const size of SIZES) {
      const folder = mkdtempSync(join(tmpdir(), "gatehook-profile-"));
      const file = join(folder, "profile.json");
      const prefix = `${size} `;
      await putSessions(keysOf(prefix, KEYS), SESSIONS[size]);
      const container = await startContainer("gatehook", env);
      const slice = { batch: BATCH, batches: quick ? 1 : EVENTS / BATCH, prefix, keys: KEYS };
      await container.run(slice);
      await container.run({ ...slice, profile: file });
      await container.close();
      shares[size] = sharesOf(JSON.parse(readFileSync(file, "utf8")) as Profile);
      rmSync(folder, { recursive: true });
    }
    return { shares };
  } finally {
    await place.close();
  }
}

export const profile: Part<ProfileResult> = {
  name: "profile",
  measure,
  tables: ({ shares }) => {
    const groups = [...new Set(SIZES.flatMap((size) => Object.keys(shares[size] ?? {})))];
    return [
      {
        title: `On what the main thread spends its time, batches of ${BATCH}, in percent`,
        heads: ["what", ...SIZES.map((size) => `session of ${size}`)],
        rows: groups.map((group) => [group, ...SIZES.map((size) => shares[size]?.[group] ?? 0)]),
      },
    ];
  },
};

if (import.meta.main) await runPart(profile);
