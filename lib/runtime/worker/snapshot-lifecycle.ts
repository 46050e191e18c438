import {
  type Asked,
  type FailureCode,
  type Held,
  type Isolation,
  type Limits,
  LOOK_MS,
  type LoadFault,
  type Outcome,
  type Probed,
  type Run,
  type RunUsed,
  type Script,
  type StopCode,
  type Survey,
  type SurveyedScript,
  type Used,
} from "../protocol.ts";
import { slowLoadError } from "./failures.ts";
import { createGcTrigger, type GcTrigger } from "./gc-trigger.ts";
import type { HostCalls } from "./host-calls.ts";
import { createInstance, type Engine, type Instance } from "./instance.ts";
import type { Prelude } from "./jsvm/source.ts";
import { findRandomState, type RandomState } from "./layout.ts";
import type { Meter } from "./meter.ts";
import { createSandbox, type Sandbox } from "./sandbox.ts";
import { type Snapshot, takeSnapshot } from "./snapshot.ts";

/** Creates sandboxes with the scripts of one release, and prepares them between two runs. */
export interface SnapshotLifecycle {
  /** Creates the first sandbox before the scripts arrive, in a thread that is started ahead. */
  prepare(): Promise<void>;
  /** `replay`: the times and random numbers of an earlier load, which they read again each time. */
  load(scripts: Script[], replay?: Used): Promise<LoadFault[]>;
  /**
   * Loads the scripts in one sandbox, within the time for loading, and reads what each defines. The first script that
   * uses the rest of the time, or breaks the sandbox, is the last one.
   */
  survey(scripts: SurveyedScript[]): Promise<Survey>;
  probe(handlers: string[]): Probed[];
  /** The values of these names, or all own names of the global object; empty if they cannot be read. */
  look(asked: Asked | undefined): Map<string, Held>;
  /** `used`: only with a meter. */
  run(run: Run): { outcome: Outcome; rebuilding: boolean; used: RunUsed | undefined };
  /** Called after every run, probe and look: prepares the sandbox for the next one. */
  rest(): Promise<void>;
}

/**
 * `onLoading` is called for each script before it is evaluated, in a survey with the remaining ms. With a `meter`, runs
 * report the times and random numbers that they read.
 */
export interface SnapshotLifecycleDeps {
  engine: Engine;
  prelude: Prelude;
  limits: Limits;
  isolation: Isolation;
  host: HostCalls;
  onLoading(path: string, leftMs?: number): void;
  meter?: Meter | undefined;
}

/** With global isolation: failures after which the globals are as intact as after a successful run. */
const HARMLESS: readonly FailureCode[] = ["threw", "stack"];

/** Creates and drops the sandboxes; nothing has to be closed before the thread ends. */
export function createSnapshotLifecycle(deps: SnapshotLifecycleDeps): SnapshotLifecycle {
  const { isolation, host, meter } = deps;
  let scripts: Script[] = [];
  let replay: Used | undefined;
  let loaded: RunUsed["load"] = { id: "" };
  let runs = 0;
  let made: Made | undefined;
  let tainted = false;
  let first: Made | undefined;
  const nextSeed = createSeeds();

  async function load(): Promise<LoadFault[]> {
    host.begin({ loading: true });
    const faults: LoadFault[] = [];
    for (;;) {
      made = first ?? (await make(deps));
      first = undefined;
      const broken = new Set(faults.map(({ path }) => path));
      if (made.random) meter?.begin(made.random, replay);
      const found = made.sandbox.load(
        scripts.filter(({ path }) => !broken.has(path)),
        ({ path }) => deps.onLoading(path),
      );
      if (meter) loaded = { id: crypto.randomUUID().slice(0, 8), ...meter.end() };
      // A script that broke the sandbox is left out of the next one.
      faults.push(...(made.sandbox.intact ? found : found.slice(-1)));
      if (made.sandbox.intact || found.length === 0) break;
    }
    tainted = false;
    runs = 0;
    if (isolation === "event") made.snapshot = takeSnapshot(made.instance.memory, made.instance.layout);
    reseed();
    return faults;
  }

  function reseed(): void {
    // The state of Math.random is in memory too: without this, every event would draw the same numbers.
    if (made?.snapshot) made.random?.set(nextSeed());
  }

  const current = (): Made => {
    if (!made) throw new Error("no scripts are loaded");
    return made;
  };

  return {
    async prepare() {
      first = await make(deps);
    },
    load(given, used) {
      scripts = given;
      replay = used;
      return load();
    },
    async survey(given) {
      host.begin({ loading: true });
      made = first ?? (await make(deps));
      first = undefined;
      return surveyScripts(made.sandbox, given, deps);
    },
    probe: (handlers) => current().sandbox.probe(handlers),
    look(given) {
      const { sandbox } = current();
      const asked = given ?? { names: sandbox.globals(), declared: [] };
      const held = sandbox.look(asked) ?? [];
      return new Map(held.map((object, index) => [asked.names[index] ?? "", object]));
    },
    run(run) {
      const { sandbox, snapshot, gcTrigger, random } = current();
      gcTrigger?.beforeRun();
      if (random) meter?.begin(random, run.replay);
      const started = performance.now();
      host.begin({ loading: false, deadline: started + run.timeoutMs, run });
      const end = sandbox.run(run);
      const ms = performance.now() - started;
      const used = meter && { ...meter.end(), load: loaded, nth: runs };
      runs += 1;
      tainted = !sandbox.intact || !(snapshot || end.ok || HARMLESS.includes(end.code));
      const outcome: Outcome = end.ok
        ? { ok: true, ms }
        : { ...end, ms, sandbox: tainted ? "rebuilt" : "kept" };
      return { outcome, rebuilding: tainted, used };
    },
    async rest() {
      if (tainted || !current().sandbox.intact) {
        await load();
        return;
      }
      current().snapshot?.restore();
      reseed();
    },
  };
}

function surveyScripts(sandbox: Sandbox, scripts: SurveyedScript[], deps: SnapshotLifecycleDeps): Survey {
  const faults: LoadFault[] = [];
  const defined: Survey["defined"] = [];
  const left = { load: deps.limits.loadTimeoutMs, look: LOOK_MS };
  function timed<T>(part: keyof typeof left, { path }: Script, work: (ms: number) => T): T {
    deps.onLoading(path, left[part]);
    const started = performance.now();
    const result = work(left[part]);
    left[part] -= performance.now() - started;
    return result;
  }
  // A slow look is not a failure of the script's loading: there are just no further looks.
  const look = (script: SurveyedScript): Held[] =>
    left.look > 0 ? (timed("look", script, (ms) => sandbox.look(script.asked, ms)) ?? []) : [];
  for (const script of scripts) {
    const before = look(script);
    faults.push(...timed("load", script, (ms) => sandbox.load([script], () => {}, ms)));
    if (left.load <= 0 || !sandbox.intact) {
      const { path } = script;
      if (faults.at(-1)?.path !== path) faults.push({ path, error: slowLoadError(deps.limits, "") });
      break;
    }
    const after = look(script).map((object, index) => [script.asked.names[index] ?? "", object] as const);
    defined.push(new Map(after.filter(([, object], index) => object > 0 && object !== before[index])));
  }
  return { faults, defined };
}

/** Random numbers are generated in blocks, since a single one costs more than restoring a page. */
function createSeeds(): () => bigint {
  const seeds = new BigUint64Array(512);
  let used = seeds.length;
  return () => {
    if (used === seeds.length) {
      crypto.getRandomValues(seeds);
      used = 0;
    }
    used += 1;
    return seeds[used - 1] ?? 1n;
  };
}

interface Made {
  instance: Instance;
  sandbox: Sandbox;
  /** Under global isolation. */
  gcTrigger?: GcTrigger;
  /** Under isolation by event. */
  snapshot?: Snapshot;
  /** Under isolation by event, and where there is a meter. */
  random?: RandomState;
}

async function make({
  engine,
  prelude,
  limits,
  isolation,
  host,
  meter,
}: SnapshotLifecycleDeps): Promise<Made> {
  const stop: { code: StopCode | undefined } = { code: undefined };
  const instance = await createInstance(engine, limits, () => {
    stop.code ??= "memory";
  });
  const gcTrigger = isolation === "global" && createGcTrigger(instance, limits);
  const sandbox = createSandbox(instance, { prelude, limits, hostCall: host.call, stop });
  const { context, memory, layout } = instance;
  // Before the scripts are loaded, since they may replace it.
  const draw = () => context.unwrapResult(context.evalCode("Math.random()")).dispose();
  const random = meter || !gcTrigger ? { random: findRandomState(memory, layout, draw) } : {};
  return { instance, sandbox, ...random, ...(gcTrigger && { gcTrigger }) };
}
