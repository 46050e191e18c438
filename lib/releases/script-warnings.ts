import type { Held } from "../runtime/protocol.ts";
import { firstFew, listed } from "./problems.ts";
import { type ApiFile, namedHandlers } from "./read-apis.ts";
import type { ScriptFacts } from "./script-facts.ts";
import type { Problem } from "./sources.ts";

/** A loaded script. */
export interface LoadedScript {
  file: string;
  facts: ScriptFacts;
  /** The names that have another handler object since this script was loaded. */
  defined: Map<string, Held>;
}

/** Warnings about scripts; `held` has the values of names after all scripts are loaded. */
export function scriptWarnings(scripts: LoadedScript[], apis: ApiFile[], held: Map<string, Held>): Problem[] {
  // Not global variables, but available to all scripts.
  const lexical = new Set(scripts.flatMap(({ facts }) => facts.declared));
  return [
    ...collisions(scripts, usersByName(apis)),
    ...neverNamed(scripts, apis, held),
    ...scripts.flatMap((script) => oddities(script, held, lexical)),
  ];
}

interface Place {
  file: string;
  line?: number;
}

/** All scripts share one global environment: the last definition of a name is used, for every API. */
function collisions(scripts: LoadedScript[], users: Map<string, Set<string>>): Problem[] {
  const places = new Map<string, Place[]>();
  for (const script of scripts) {
    for (const name of script.defined.keys()) {
      const others = places.get(name);
      if (others) others.push(placeOf(script, name));
      else places.set(name, [placeOf(script, name)]);
    }
  }
  return [...places].flatMap(([name, found]) => {
    const winner = found.at(-1);
    const naming = users.get(name);
    if (!winner || !naming || found.length === 1) return [];
    const message =
      `${name} is defined in ${listed(found.slice(0, -1).map(placeText))} too; this file is loaded last, so its ` +
      `${name} runs for all that name it: ${listed([...naming])}. Give one of them another name`;
    return [{ ...winner, message }];
  });
}

function placeOf({ file, facts }: LoadedScript, name: string): Place {
  const line = facts.names.get(name);
  return line === undefined ? { file } : { file, line };
}

const placeText = ({ file, line }: Place) => (line === undefined ? file : `${file}:${line}`);

function usersByName(apis: ApiFile[]): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>();
  for (const apiFile of apis) {
    const user = `API ${apiFile.api.api_id} (${apiFile.file})`;
    for (const { ref } of namedHandlers(apiFile))
      users.set(ref.name, (users.get(ref.name) ?? new Set()).add(user));
  }
  return users;
}

/** A handler object with several names is called by one of them. */
function neverNamed(scripts: LoadedScript[], apis: ApiFile[], held: Map<string, Held>): Problem[] {
  const names = new Set(apis.flatMap(namedHandlers).map(({ ref }) => ref.name));
  const objects = new Set(
    [...held, ...scripts.flatMap(({ defined }) => [...defined])].flatMap(([name, object]) =>
      names.has(name) ? object : [],
    ),
  );
  return scripts.flatMap((script) =>
    firstFew(
      handlerNames(script.defined)
        .filter(([, object]) => !objects.has(object))
        .map(([name]) => ({
          ...placeOf(script, name),
          message: `no definition names handler ${name}, so it never runs: name it for an event, or remove it`,
        })),
    ),
  );
}

/** One name for each handler object, preferably of a variable rather than of a member. */
export function handlerNames(defined: Map<string, Held>): [name: string, object: Held][] {
  const simpleFirst = [...defined].sort(([a], [b]) => dots(a) - dots(b));
  const names = new Map<Held, string>();
  for (const [name, object] of simpleFirst) if (!names.has(object)) names.set(object, name);
  return [...names].map(([object, name]) => [name, object]);
}

const dots = (name: string) => name.split(".").length;

function oddities({ file, facts }: LoadedScript, held: Map<string, Held>, lexical: Set<string>): Problem[] {
  const missing = facts.undeclared.filter(({ name }) => held.get(name) === NOTHING && !lexical.has(name));
  return [missing, facts.patterns, facts.odd].flatMap((notes) =>
    firstFew(notes.map(({ line, message }) => ({ file, line, message }))),
  );
}

const NOTHING = -1;
