import type { HandlerRef } from "../apis/definition.ts";
import type { RuntimeAssets } from "../runtime/assets.ts";
import type { Held, LoadFault } from "../runtime/protocol.ts";
import type { Thread } from "../runtime/thread.ts";
import type { Candidate, Findings } from "./examine.ts";
import { hintFor, placeOf } from "./load-errors.ts";
import { listed } from "./problems.ts";
import { type NamedHandler, namedHandlers, usersOf } from "./read-apis.ts";
import { readScript, type ScriptFacts } from "./script-facts.ts";
import { handlerNames, scriptWarnings } from "./script-warnings.ts";
import { CORE_SCRIPT, type Problem, scriptFile } from "./sources.ts";
import { type Surveyed, surveyScripts } from "./survey.ts";

/** Loads a release as the consumer will, in a real sandbox, and answers what would fail there, or is odd. */
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
    return {
      errors: [
        ...faults.map((fault) => faultProblem(fault, facts, users)),
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

function faultProblem(
  fault: LoadFault,
  facts: Map<string, ScriptFacts>,
  users: Map<string, string[]>,
): Problem {
  const { path, error } = fault;
  const where = error.stack.trim().split("\n")[0] ?? "";
  const what = [error.name, error.message].filter(Boolean).join(": ");
  const hint = hintFor(fault, facts.get(path));
  const message = `${what} ${where}`.trim() + hint;
  // The core script is every API's.
  const apis = path === CORE_SCRIPT ? {} : { apis: users.get(path) ?? [] };
  return { file: scriptFile(path), ...placeOf(fault), message, ...apis };
}

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
  const instead = new Map([...defined].map(([path, names]) => [path, insteadOf(names)]));
  return groups.flatMap((group, index) => {
    const [first] = group;
    if (!first || !answers[index]) return [];
    const { name, path } = first.ref;
    const message = `handler ${name}: ${answers[index]}${instead.get(path)}`;
    return [{ file: scriptFile(path), message, apis: distinct(group.map(({ apiId }) => apiId)) }];
  });
}

function insteadOf(defined: Map<string, Held>): string {
  const names = handlerNames(defined).map(([name]) => name);
  return names.length > 0 ? `; this file defines ${listed(names)}` : "";
}
