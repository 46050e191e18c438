import type { Pinned, RerunAnswer, RerunSide } from "../../console/answers.ts";
import { AppError } from "../../lib/errors.ts";
import { keyOfEvent, rowKey } from "../../lib/history/event-rows.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { createReruns, type Reruns as Engine, type Rerun, type Side } from "../../lib/history/rerun.ts";
import type { StepPair } from "../../lib/history/steps.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { engineId } from "../../lib/runtime/engine-id.ts";
import { tenths } from "../../lib/tenths.ts";
import type { Reruns } from "../../local/console/backend.ts";
import type { Stack } from "../../local/stack.ts";
import { pinsOf } from "../commands/events-pin.ts";
import { attemptsBefore } from "../events-open.ts";
import { readFolder } from "../folder.ts";
import { readProject } from "../project.ts";
import { openLiveHttp } from "../rerun-http.ts";
import { type NamedTarget, targetOfSources, WORKING } from "../rerun-target.ts";
import { stepTexts } from "../terminal/rerun-lines.ts";

/** The results of pinned events at the last save, by their keys. */
export type PinResults = Map<string, Rerun | string>;

/** The reruns of the page. `close` ends their sandboxes. */
export interface OpenReruns {
  port: Reruns;
  close(): Promise<void>;
}

/** The reruns of `gatehook replay`, on the stack of this process. */
export function openReruns(
  dir: string,
  stack: Pick<Stack, "releases">,
  results: PinResults,
  listeners: Set<() => void>,
): OpenReruns {
  let engine: Engine | undefined;
  const open = () => {
    engine ??= createReruns({ assets: loadAssets(), engine: engineId() });
    return engine;
  };
  const pins = pinsOf(dir);

  async function targetOf(name: string): Promise<NamedTarget> {
    if (name === WORKING) return targetOfSources(await readFolder(dir, (await readProject(dir)).folders));
    const version = name === "live" ? await stack.releases.liveVersion() : name;
    if (!version) throw new AppError("release-missing", "no release is live yet");
    return { version, release: await stack.releases.read(version), atSources: (text) => text };
  }

  async function runAll(
    attempts: AttemptRecord[],
    target: NamedTarget,
    onOne: (attempt: AttemptRecord, told: Rerun | AppError) => void,
    isOver: () => boolean,
  ): Promise<void> {
    const before = await attemptsBefore(
      attempts.filter(({ release }) => release === target.version),
      { dir },
    );
    for (const attempt of attempts) {
      if (isOver()) return;
      const told = await open()
        .rerun(attempt, target, { attempts: before })
        .catch((thrown: unknown) => {
          if (thrown instanceof AppError && thrown.code === "not-recorded") return thrown;
          throw thrown;
        });
      onOne(attempt, told);
    }
  }

  return {
    port: {
      async run(attempt, name, http) {
        const target = await targetOf(name);
        const before = attempt.release === target.version ? await attemptsBefore([attempt], { dir }) : [];
        const real = http === "live" ? await openLiveHttp(dir) : undefined;
        try {
          return answerOf(
            await open().rerun(attempt, target, { attempts: before, live: real?.live }),
            target,
          );
        } finally {
          await real?.close();
        }
      },
      async tryAll(attempts, name, onOne, stop) {
        const tell = ({ id, api_id, event }: AttemptRecord, told: Rerun | AppError) => {
          const of = { id, api_id, type: event.Type, key: keyOfEvent(event) };
          if (told instanceof AppError) onOne({ ...of, verdict: "not run", why: told.message });
          else onOne({ ...of, verdict: told.verdict, why: firstLine(told.now.error) });
        };
        await runAll(attempts, await targetOf(name), tell, () => stop.aborted);
      },
      pins: () => pins.list().map((attempt) => pinned(attempt, results.get(rowKey(attempt)))),
      pin(attempt, on) {
        if (on) pins.add(attempt);
        else pins.remove(attempt);
        results.delete(rowKey(attempt));
        for (const tell of listeners) tell();
      },
      onPins(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    close: async () => engine?.close(),
  };
}

const firstLine = (text = "") => text.split("\n", 1)[0] ?? "";

function pinned({ id, api_id, event }: AttemptRecord, told: Rerun | string | undefined): Pinned {
  const of = { id, api_id, type: event.Type };
  if (told === undefined) return { ...of, verdict: "", error: "" };
  if (typeof told === "string") return { ...of, verdict: "", error: told };
  return { ...of, verdict: told.verdict, error: firstLine(told.now.error) };
}

function answerOf({ diff, then, now, ...rest }: Rerun, { atSources }: NamedTarget): RerunAnswer {
  const asIs = (text: string) => text;
  const shown = ({ handler, same, ...pair }: StepPair) => ({
    handler,
    same,
    // biome-ignore lint/suspicious/noThenProperty: the counterpart of `now`, and never a function
    then: pair.then ? stepTexts(pair.then, asIs, !same) : null,
    now: pair.now ? stepTexts(pair.now, atSources, !same) : null,
  });
  // biome-ignore lint/suspicious/noThenProperty: the counterpart of `now`, and never a function
  return { ...rest, then: sideOf(then), now: sideOf(now), diff: diff.map(shown) };
}

const sideOf = ({ release, outcome, error = "", runs }: Side): RerunSide => ({
  release,
  outcome,
  error,
  ms: tenths(runs.reduce((sum, { ms }) => sum + ms, 0)),
});
