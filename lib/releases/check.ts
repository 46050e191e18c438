import type { RuntimeAssets } from "../runtime/assets.ts";
import { startRuntime } from "../runtime/runtime.ts";
import { CORE_SCRIPT, type Problem } from "./build.ts";
import type { Release } from "./release.ts";

/** Loads a release as the consumer will, in a real sandbox, and answers what would fail there. */
export async function checkRelease(release: Release, assets: RuntimeAssets): Promise<Problem[]> {
  const runtime = await startRuntime(release.scripts, { assets });
  try {
    const faults = runtime.faults.map(({ path, error }) => ({
      file: path === CORE_SCRIPT ? path : `handlers/${path}`,
      message:
        `${[error.name, error.message].filter(Boolean).join(": ")} ${error.stack.trim().split("\n")[0] ?? ""}`.trim(),
    }));
    const broken = new Set(runtime.faults.map(({ path }) => path));
    const refs = release.apis.flatMap((api) => Object.values(api.handlers).flat());
    const named = refs.filter(({ path }) => !broken.has(path));
    const answers = await runtime.probe(named.map(({ name }) => name));
    const missing = named.flatMap(({ name, path }, index) =>
      answers[index] ? [{ file: `handlers/${path}`, message: `handler ${name}: ${answers[index]}` }] : [],
    );
    return [...faults, ...missing];
  } finally {
    await runtime.close();
  }
}
