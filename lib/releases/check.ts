import type { HandlerRef } from "../apis/definition.ts";
import type { RuntimeAssets } from "../runtime/assets.ts";
import type { LoadFault } from "../runtime/protocol.ts";
import type { Thread } from "../runtime/thread.ts";
import { namedHandlers } from "./build.ts";
import type { Candidate, Findings } from "./examine.ts";
import { handlerFault } from "./handler-faults.ts";
import { hintFor, knownFault, placeOf } from "./load-errors.ts";
import { createHintAllowance, createListedFor, listed } from "./problems.ts";
import { readScript, type ScriptFacts } from "./script-facts.ts";
import { handlerNames, type LoadedScript, scriptWarnings } from "./script-warnings.ts";
import { type Problem, scriptFile } from "./sources.ts";
import { type Surveyed, surveyScripts } from "./survey.ts";

/** Loads a release as the consumer will, in a real sandbox, and answers what would fail there, or is odd. */
export async function checkRelease(
  { release, apis }: Pick<Candidate, "release" | "apis">,
  assets: RuntimeAssets,
): Promise<Findings> {
  if (release.scripts.length === 0) return { errors: [], warnings: [] };
  const refs = apis.flatMap(namedHandlers).map(({ ref }) => ref);
  const facts = new Map(release.scripts.map(({ path, source }) => [path, readScript(source)]));
  const survey = await surveyScripts(withQuestions(release.scripts, facts, refs), assets);
  const { thread, faults, defined, unread } = survey;
  try {
    const loaded = [...facts].map(([path, its]) => ({
      file: scriptFile(path),
      facts: its,
      defined: defined.get(path) ?? new Map(),
    }));
    const assigned = loaded.flatMap((script) => script.facts.undeclared);
    const names = distinct([...refs, ...assigned].map(({ name }) => name));
    const held = await thread?.look({ names, declared: [] });
    return {
      errors: [
        ...faults.map((fault) => faultProblem(fault, facts)),
        ...loaded.flatMap(importProblem),
        ...unreadProblem(unread),
        ...(thread ? await missingHandlers(refs, survey, thread) : []),
      ],
      warnings: scriptWarnings(loaded, apis, held ?? new Map()),
    };
  } finally {
    await thread?.close();
  }
}

const distinct = <T>(values: T[]): T[] => [...new Set(values)];

/** Each script with what it may define: what its text shows, and what definitions expect of it. */
function withQuestions(
  scripts: Candidate["release"]["scripts"],
  facts: Map<string, ScriptFacts>,
  refs: HandlerRef[],
) {
  const refsOf = Map.groupBy(refs, ({ path }) => path);
  return scripts.map((script) => {
    const { names = new Map(), declared = [] } = facts.get(script.path) ?? {};
    const expected = (refsOf.get(script.path) ?? []).map(({ name }) => name);
    return { ...script, asked: { names: distinct([...names.keys(), ...expected]), declared } };
  });
}

function faultProblem(fault: LoadFault, facts: Map<string, ScriptFacts>): Problem {
  const { path, error } = fault;
  const known = knownFault(fault, facts.get(path));
  if (known) return { file: scriptFile(path), ...known };
  const where = error.stack.trim().split("\n")[0] ?? "";
  const what = [error.name, error.message].filter(Boolean).join(": ");
  const hint = hintFor(fault, facts.get(path));
  return { file: scriptFile(path), ...placeOf(fault), message: `${what} ${where}`.trim() + hint };
}

/** It loads, and each of its events would fail: the first is enough to know. */
const importProblem = ({ file, facts }: LoadedScript): Problem[] =>
  facts.imports.slice(0, 1).map((note) => ({ file, ...note }));

function unreadProblem(paths: string[]): Problem[] {
  const [first] = paths;
  if (first === undefined) return [];
  const files = listed(paths.map(scriptFile));
  return [{ file: scriptFile(first), message: `not checked, since too many scripts did not load: ${files}` }];
}

async function missingHandlers(
  refs: HandlerRef[],
  { faults, defined }: Surveyed,
  thread: Thread,
): Promise<Problem[]> {
  const broken = new Set(faults.map(({ path }) => path));
  const asked = new Map(
    refs
      .filter(({ path }) => defined.has(path) && !broken.has(path))
      .map((ref) => [`${ref.path} ${ref.name}`, ref]),
  );
  const named = [...asked.values()];
  const answers = await thread.probe(named.map(({ name }) => name));
  const allowance = createHintAllowance();
  const others = new Map(
    [...defined].map(([path, held]) => {
      const names = handlerNames(held).map(([name]) => name);
      return [path, createListedFor(names, allowance)] as const;
    }),
  );
  return named.flatMap(({ name, path }, index) => {
    const message = handlerFault(name, answers[index] ?? "unreadable", others.get(path) ?? (() => ""));
    return message === undefined ? [] : [{ file: scriptFile(path), message }];
  });
}
