/** Asks a gateway what was asked of the recorded one, and tells where it answers otherwise. */
import assert from "node:assert/strict";
import { readToken } from "../../lib/gateway/key-name.ts";
import type { GatewayConfig } from "./config.ts";
import { always } from "./faults.ts";
import type { Gateway, GatewayOptions, GatewayRequest } from "./model.ts";
import {
  type Asked,
  answerOf,
  type Comparison,
  configNamed,
  normal,
  type Recorded,
  SECRET,
  type Step,
  stepsOf,
  type Transcripts,
} from "./transcripts.ts";

/** A gateway to ask. Without its `model`, as for a real one, nothing can be asked that needs its store stopped. */
export interface Target {
  send(request: GatewayRequest): Promise<Said>;
  model?: Gateway;
  secret?: string;
}

/** `events` undefined where they go elsewhere. */
export interface Said {
  status: number;
  body: string;
  events?: { api?: string; Type: string; Meta: Record<string, unknown> }[];
}

export interface Outcome {
  /** How many answers were compared. */
  compared: number;
  differences: { case: string; expected: unknown; actual: unknown }[];
}

/**
 * Replays the steps of one configuration. `open` makes a gateway that nobody has used, or none if there is no other;
 * it is given what the model needs to live in the recording's time and to make up the recording's keys.
 */
export async function replay(
  transcripts: Transcripts,
  configName: string,
  open: (options: Required<GatewayOptions>) => Promise<Target | undefined>,
): Promise<Outcome> {
  const config = configNamed(transcripts, configName);
  const outcome: Outcome = { compared: 0, differences: [] };
  let target: Target | undefined;
  let time = 0;
  let keyId = "";
  for (const step of stepsOf(transcripts, configName)) {
    time = step.at;
    if (step.do === "start")
      target = await open({ config, now: () => time, random: () => keyId || FAILED_KEY });
    else if (!target || (isOfStore(step) && !target.model)) target = undefined;
    else if (step.do !== undefined) await prepare(step, target, config);
    else {
      keyId = idOfNewKey(step);
      const said = await target.send(requestOf(step, target));
      const clock = target.model ? "recorded" : "own";
      const isSorted = clock === "recorded" && step.path.includes("api_id=");
      const difference = compare(step, said, transcripts, { clock, isSorted });
      outcome.compared += 1;
      if (difference) outcome.differences.push({ case: step.case, ...difference });
    }
  }
  return outcome;
}

/** Shows the first difference alone: the others mostly follow from it. */
export function assertHolds({ differences }: Outcome): void {
  const [first] = differences;
  if (!first) return;
  assert.deepEqual(
    first.actual,
    first.expected,
    `${differences.length} differ, the first one: ${first.case}`,
  );
}

/** The gateway makes up a key before it refuses to. */
const FAILED_KEY = "0".repeat(32);

type StoreStep = Extract<Step, { do: "stop store" | "start store" | "empty store" }>;

const isOfStore = (step: Step): step is StoreStep => step.do?.endsWith(" store") ?? false;

async function prepare(
  step: Exclude<Step, Recorded>,
  target: Target,
  { apis }: GatewayConfig,
): Promise<void> {
  switch (step.do) {
    case "use": {
      const request = { method: "GET", path: `${apis[0]?.proxy.listen_path}x`, authorization: step.key };
      for (let time = 0; time < step.times; time += 1) await target.send(requestOf(request, target));
      return;
    }
    case "unrecorded":
      await target.send(requestOf(step, target));
      return;
    case "stop store":
      return target.model?.disturb(always({ kind: "store-down" }));
    case "start store":
      return target.model?.disturb();
    case "empty store":
      return target.model?.wipe();
  }
}

function requestOf({ method, path, secret, authorization, body }: Asked, target: Target): GatewayRequest {
  const right = target.secret ?? SECRET;
  const headers = {
    ...(path.startsWith("/tyk/") && secret !== null && { "x-tyk-authorization": secret ?? right }),
    ...(authorization !== undefined && { authorization }),
  };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method, path, headers, ...(text !== undefined && { body: text }) };
}

/** What the gateway drew for a key that it named itself: what stands in it after the organisation. */
function idOfNewKey({ path, answer }: Recorded): string {
  const key = (answer as { key?: string } | undefined)?.key;
  if (path !== "/tyk/keys/create" || !key) return "";
  return readToken(key)?.id ?? key.slice(-32);
}

function compare(step: Recorded, said: Said, transcripts: Transcripts, comparison: Comparison) {
  const recorded = answerOf(step, transcripts);
  const expected = {
    status: step.status,
    ...(recorded !== undefined && { body: normal(recorded, comparison) }),
    ...(step.events && said.events && { events: step.events }),
  };
  const actual = {
    status: said.status,
    ...(recorded !== undefined && { body: normal(said.body, comparison) }),
    ...(step.events &&
      said.events && { events: said.events.map((event, at) => asKept(event, step.events?.[at])) }),
  };
  return JSON.stringify(expected) === JSON.stringify(actual) ? undefined : { expected, actual };
}

type KeptEvent = NonNullable<Recorded["events"]>[number];

/** Of an event what was kept of the recorded one. */
function asKept({ api, Type, Meta }: NonNullable<Said["events"]>[number], kept?: KeptEvent): KeptEvent {
  const members = Object.keys(kept ? (kept.Meta ?? {}) : Meta);
  return {
    ...(api !== undefined && { api }),
    Type,
    ...((!kept || kept.Meta) && { Meta: Object.fromEntries(members.map((name) => [name, Meta[name]])) }),
  };
}
