import type { Outcome, Run, Script } from "../../lib/runtime/protocol.ts";
import { createRandom } from "../helpers/random.ts";
import { asScript, type HostileScript, readCorpus } from "./corpus.ts";
import { type InProcess, loadInProcess } from "./in-process.ts";
import { CONTEXT, NORMAL, TRUSTING } from "./normal-event.ts";

export interface Divergence {
  handler: string;
  event: string;
  fresh: string;
  isolated: string;
}

export interface Differential {
  events: number;
  /** Events of a kind that is compared, and of the hostile kind, whose effect on the others is what is asked. */
  compared: number;
  hostile: number;
  /** Sandboxes that hostile events cost. */
  rebuilt: number;
  divergences: Divergence[];
}

const HOSTILE_SHARE = 0.05;
const SHORT_MS = 20;

/**
 * Runs events of many kinds, in an order drawn from the seed, one after another under isolation by event, and says
 * which had another effect than the same event in a sandbox that has run nothing before.
 */
export async function runDifferential(
  events: number,
  { seed, payloads }: { seed: number; payloads: number },
): Promise<Differential> {
  const corpus = readCorpus().filter(({ mode }) => mode === "handler");
  const scripts = new Map<string, Script>([
    ["normal", NORMAL],
    ["trusting", TRUSTING],
    ...corpus.map((script, at) => [`hostile${at}`, asScript(script, `hostile${at}`)] as const),
  ]);
  const mixed = ["normal", "trusting", ...names(corpus, ({ mix }) => mix)];
  const hostile = names(corpus, ({ mix, endings }) => !mix && !endings.includes("killed"));
  const random = createRandom(seed);
  const pick = (list: string[]) => list[Math.floor(random() * list.length)] ?? "";

  const isolated = await loadInProcess([...scripts.values()], "event");
  const expected = new Map<string, string>();
  const result: Differential = { events, compared: 0, hostile: 0, rebuilt: 0, divergences: [] };
  for (let count = 0; count < events; count += 1) {
    if (random() < HOSTILE_SHARE) {
      result.hostile += 1;
      const { rebuilding } = await runOne(isolated, {
        ...eventOf(0),
        handler: pick(hostile),
        timeoutMs: SHORT_MS,
      });
      if (rebuilding) result.rebuilt += 1;
      continue;
    }
    const handler = pick(mixed);
    const run = { ...eventOf(Math.floor(random() * payloads)), handler, timeoutMs: 60_000 };
    const name = `${handler} ${run.event}`;
    const fresh = expected.get(name) ?? (await runFresh(scripts.get(handler), run));
    expected.set(name, fresh);
    const { seen } = await runOne(isolated, run);
    result.compared += 1;
    if (seen !== fresh) result.divergences.push({ handler, event: run.event, fresh, isolated: seen });
  }
  return result;
}

const names = (corpus: HostileScript[], wanted: (script: HostileScript) => boolean) =>
  corpus.flatMap((script, at) => (wanted(script) ? `hostile${at}` : []));

function eventOf(payload: number): Pick<Run, "event" | "context"> {
  const Meta = { Key: `key-${payload}`, Path: "/x".repeat(payload + 1), Message: "m".repeat(payload * 500) };
  return { event: JSON.stringify({ Type: "KeyExpired", Meta, TimeStamp: "now" }), context: CONTEXT };
}

async function runFresh(script: Script | undefined, run: Run): Promise<string> {
  const { seen } = await runOne(await loadInProcess(script ? [script] : [], "global"), run);
  return seen;
}

async function runOne(
  { lifecycle, asked }: InProcess,
  run: Run,
): Promise<{ seen: string; rebuilding: boolean }> {
  const { outcome, rebuilding } = lifecycle.run(run);
  const seen = JSON.stringify([endOf(outcome), asked()]);
  await lifecycle.rest();
  asked();
  return { seen, rebuilding };
}

const endOf = (outcome: Outcome) => (outcome.ok ? "ok" : [outcome.code, outcome.error]);
