import { AppError } from "../errors.ts";
import { createTurns } from "../in-turn.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { RuntimeAssets } from "../runtime/assets.ts";
import type { Isolation, RunUsed, Used } from "../runtime/protocol.ts";
import { type Runtime, startRuntime } from "../runtime/runtime.ts";
import type { Link } from "./chain.ts";
import type { AttemptRecord, RunRecord } from "./records.ts";
import { rerunOne } from "./rerun-run.ts";

/** Returns the runtime for a run of a plan. */
export type RuntimeOf = (run: RunRecord) => Promise<Runtime>;

interface Wanted {
  attempt: AttemptRecord;
  target: LiveRelease;
  /** The earlier runs of each run's sandbox, which are repeated first. */
  chains: Link[][] | undefined;
}

/** The sandboxes of reruns. */
export interface RerunRuntimes {
  /** Runs `work` with a runtime for each run; one call of `use` after the other. */
  use<T>(wanted: Wanted, work: (runtimeOf: RuntimeOf) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The maximum number of warm runtimes, each of which has a thread. */
const KEPT = 3;

/**
 * Keeps up to three runtimes warm; `close` ends them after all earlier work is done. `use` throws `release-invalid` for
 * scripts that do not load.
 */
export function createRerunRuntimes(assets: RuntimeAssets): RerunRuntimes {
  /** By release, limits, and the times and random numbers that the scripts read at load. */
  const warm = new Map<string, Promise<Runtime>>();

  async function start(
    { attempt, target }: Pick<Wanted, "attempt" | "target">,
    isolation: Isolation,
    replay: Used,
  ): Promise<Runtime> {
    const { limits } = attempt;
    const options = { assets, isolation, tellUsed: true, replay, ...(limits && { limits }) };
    const runtime = await startRuntime(target.scripts, options);
    const [fault] = runtime.faults;
    if (!fault) return runtime;
    await runtime.close();
    const { name, message, stack } = fault.error;
    const what = [name, message].filter(Boolean).join(": ");
    throw new AppError("release-invalid", `${fault.path}: ${what}\n${stack}`.trimEnd());
  }

  /** Each run in it starts with the freshly loaded scripts. */
  function kept(wanted: Wanted, run: RunRecord): Promise<Runtime> {
    const { attempt, target } = wanted;
    const took = tookAtLoad(run);
    const key = JSON.stringify([target.version, attempt.limits, took]);
    const found = warm.get(key) ?? start(wanted, "event", took ?? { clock: [run.began ?? 0] });
    warm.delete(key);
    warm.set(key, found);
    found.catch(() => warm.delete(key));
    return found;
  }

  async function trim(): Promise<void> {
    for (const [key, runtime] of [...warm].slice(0, -KEPT)) {
      warm.delete(key);
      await (await runtime).close();
    }
  }

  const inTurn = createTurns();

  return {
    use: (wanted, work) =>
      inTurn(async () => {
        const own = new Map<string, { runtime: Promise<Runtime>; next: number }>();
        const { attempt, chains } = wanted;

        /** A runtime in which all earlier runs were repeated. */
        async function chained(run: RunRecord, used: RunUsed, chain: Link[]): Promise<Runtime> {
          const { id } = used.load;
          const found = own.get(id) ?? { runtime: start(wanted, "global", tookAtLoad(run) ?? {}), next: 0 };
          own.set(id, found);
          const runtime = await found.runtime;
          for (const link of chain.slice(found.next))
            await rerunOne(link.attempt, link.run, runtime, { changed: new Map(), others: new Map() });
          found.next = used.nth + 1;
          return runtime;
        }

        try {
          return await work((run) => {
            const chain = chains?.[attempt.runs.indexOf(run)];
            if (chain && chain.length > 0 && run.used) return chained(run, run.used, chain);
            return kept(wanted, run);
          });
        } finally {
          for (const { runtime } of own.values()) await (await runtime).close();
          await trim();
        }
      }),
    close: () =>
      inTurn(async () => {
        const all = [...warm.values()];
        warm.clear();
        for (const runtime of all) await (await runtime.catch(() => undefined))?.close();
      }),
  };
}

/** The times and random numbers that the scripts read at load; undefined if none, as usual. */
function tookAtLoad({ used }: RunRecord): Used | undefined {
  if (!used) return undefined;
  const { id, ...took } = used.load;
  return Object.keys(took).length > 0 ? took : undefined;
}
