import type { RuntimeAssets } from "../runtime/assets.ts";
import type { LoadFault, Script, ScriptError } from "../runtime/protocol.ts";
import { type Runtime, startRuntime } from "../runtime/runtime.ts";
import type { Release } from "./release.ts";
import { definedHandlers } from "./script-text.ts";
import type { Problem } from "./sources.ts";
import { scriptFile } from "./warnings.ts";

/** Half of what the consumer gives its scripts: what passes here loads there on half the speed. */
const LOAD_MS = 2_500;
/** How often the scripts are loaded again without one that took the time, or the memory, of those after it. */
const MAX_ROUNDS = 5;

/** Loads a release as the consumer will, in a real sandbox, and answers what would fail there. */
export async function checkRelease(release: Release, assets: RuntimeAssets): Promise<Problem[]> {
  const { runtime, faults } = await load(release.scripts, assets);
  try {
    return [...faults.map(faultProblem), ...(await missingHandlers(release, runtime, faults))];
  } finally {
    await runtime.close();
  }
}

async function load(scripts: Script[], assets: RuntimeAssets) {
  const culprits: LoadFault[] = [];
  for (let round = 1; ; round += 1) {
    const left = scripts.filter(({ path }) => !culprits.some((culprit) => culprit.path === path));
    const runtime = await startRuntime(left, { assets, limits: { loadTimeoutMs: LOAD_MS } });
    // Without a name it is no error that the script threw: it used up what those after it would have needed too.
    const culprit = runtime.faults.findIndex(({ error }) => error.name === "");
    const victims = culprit === -1 ? [] : runtime.faults.slice(culprit + 1);
    const found = runtime.faults[culprit];
    if (!found || victims.length === 0 || round === MAX_ROUNDS)
      return { runtime, faults: inLoadOrder(scripts, [...culprits, ...runtime.faults]) };
    culprits.push(found);
    await runtime.close();
  }
}

function inLoadOrder(scripts: Script[], faults: LoadFault[]): LoadFault[] {
  const place = new Map(scripts.map(({ path }, index) => [path, index]));
  return faults.sort((a, b) => (place.get(a.path) ?? 0) - (place.get(b.path) ?? 0));
}

function faultProblem({ path, error }: LoadFault): Problem {
  const where = error.stack.trim().split("\n")[0] ?? "";
  const what = [error.name, error.message].filter(Boolean).join(": ");
  return { file: scriptFile(path), ...place(path, error), message: `${what} ${where}`.trim() };
}

/** The place in the script itself: the error may have been thrown in another. */
function place(path: string, { stack }: ScriptError): { line?: number; column?: number } {
  for (const line of stack.split("\n")) {
    const [, file, row, column] = /\(?([^\s()]+):(\d+):(\d+)\)?$/.exec(line.trim()) ?? [];
    if (file === path) return { line: Number(row), column: Number(column) };
  }
  return {};
}

async function missingHandlers(release: Release, runtime: Runtime, faults: LoadFault[]): Promise<Problem[]> {
  const broken = new Set(faults.map(({ path }) => path));
  const loaded = new Set(release.scripts.flatMap(({ path }) => (broken.has(path) ? [] : [path])));
  const refs = new Map(
    release.apis
      .flatMap((api) => Object.values(api.handlers).flat())
      .filter(({ path }) => loaded.has(path))
      .map((ref) => [`${ref.path} ${ref.name}`, ref]),
  );
  const named = [...refs.values()];
  const answers = await runtime.probe(named.map(({ name }) => name));
  return named.flatMap(({ name, path }, index) =>
    answers[index]
      ? [{ file: scriptFile(path), message: `handler ${name}: ${answers[index]}${instead(release, path)}` }]
      : [],
  );
}

function instead({ scripts }: Release, path: string): string {
  const source = scripts.find((script) => script.path === path)?.source ?? "";
  const names = [...new Set(definedHandlers(source).map(({ name }) => name))];
  return names.length > 0 ? `; this file defines ${names.slice(0, 5).join(", ")}` : "";
}
