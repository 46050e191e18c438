import type { HandlerRef } from "../apis/handler-ref.ts";
import type { RuntimeAssets } from "../runtime/assets.ts";
import type { LoadFault } from "../runtime/protocol.ts";
import type { Thread } from "../runtime/thread.ts";
import type { Candidate, Findings } from "./examine.ts";
import { handlerFault } from "./handler-faults.ts";
import { hintFor, knownFault, placeOf } from "./load-errors.ts";
import { createHintAllowance, createListedFor, listed } from "./problems.ts";
import { type NamedHandler, namedHandlers, usersOf } from "./read-apis.ts";
import { readScript, type ScriptFacts } from "./script-facts.ts";
import { handlerNames, scriptWarnings } from "./script-warnings.ts";
import { CORE_SCRIPT, type Problem, scriptFile } from "./sources.ts";
import { type Surveyed, surveyScripts } from "./survey.ts";

/** Loads a release as the consumer will, in a real sandbox, and returns errors and warnings. */
export async function checkRelease(
  { release, apis }: Pick<Candidate, "release" | "apis">,
  assets: RuntimeAssets,
): Promise<Findings> {
  if (release.scripts.length === 0) return { errors: [], warnings: [] };
  const named = apis.flatMap(namedHandlers);
  const refs = named.map(({ ref }) => ref);
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
    const users = usersOf(apis);
    // The core script belongs to every API.
    const apisOf = (path: string) => (path === CORE_SCRIPT ? undefined : (users.get(path) ?? []));
    return {
      errors: [
        ...faults.map((fault) => faultProblem(fault, facts, apisOf(fault.path))),
        ...[...facts].flatMap(([path, its]) => importProblem(path, its, apisOf(path))),
        ...unreadProblem(unread),
        ...(thread ? await missingHandlers(named, survey, thread) : []),
      ],
      warnings: scriptWarnings(loaded, apis, held ?? new Map()),
    };
  } finally {
    await thread?.close();
  }
}

const distinct = <T>(values: T[]): T[] => [...new Set(values)];

/** Each script with the names that it may define: from its text, and from the definitions that use it. */
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

/** `apis`: the APIs that are not changed because of it; by default all. */
function faultProblem(
  fault: LoadFault,
  facts: Map<string, ScriptFacts>,
  apis: string[] | undefined,
): Problem {
  const { path, error } = fault;
  const known = knownFault(fault, facts.get(path));
  const where = error.stack.trim().split("\n")[0] ?? "";
  const what = [error.name, error.message].filter(Boolean).join(": ");
  const hint = hintFor(fault, facts.get(path));
  const told = known ?? { ...placeOf(fault), message: `${what} ${where}`.trim() + hint };
  return { file: scriptFile(path), ...told, ...(apis && { apis }) };
}

/** It loads, but each of its events would fail, so the first error is enough. */
const importProblem = (path: string, { imports }: ScriptFacts, apis: string[] | undefined): Problem[] =>
  imports.slice(0, 1).map((note) => ({ file: scriptFile(path), ...note, ...(apis && { apis }) }));

function unreadProblem(paths: string[]): Problem[] {
  const [first] = paths;
  if (first === undefined) return [];
  const files = listed(paths.map(scriptFile));
  return [{ file: scriptFile(first), message: `not checked, since too many scripts did not load: ${files}` }];
}

async function missingHandlers(
  named: NamedHandler[],
  { faults, defined }: Surveyed,
  thread: Thread,
): Promise<Problem[]> {
  const broken = new Set(faults.map(({ path }) => path));
  const asked = Map.groupBy(
    named.filter(({ ref }) => defined.has(ref.path) && !broken.has(ref.path)),
    ({ ref }) => `${ref.path} ${ref.name}`,
  );
  const groups = [...asked.values()];
  const answers = await thread.probe(groups.map(([first]) => first?.ref.name ?? ""));
  const allowance = createHintAllowance();
  const others = new Map(
    [...defined].map(([path, held]) => {
      const names = handlerNames(held).map(([name]) => name);
      return [path, createListedFor(names, allowance)] as const;
    }),
  );
  return groups.flatMap((group, index) => {
    const { name = "", path = "" } = group[0]?.ref ?? {};
    const message = handlerFault(name, answers[index] ?? "unreadable", others.get(path) ?? (() => ""));
    if (message === undefined) return [];
    return [{ file: scriptFile(path), message, apis: distinct(group.map(({ apiId }) => apiId)) }];
  });
}
