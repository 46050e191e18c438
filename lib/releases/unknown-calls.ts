import type { AnyNode } from "acorn";
import { createNearest } from "../apis/nearest.ts";
import { boundNames, type Finding, type Visitor } from "./parse.ts";

/** A call that throws unless there is a global variable with its name when it runs. */
export interface UnknownCall extends Finding {
  name: string;
}

/** The maximum number of calls reported for one script: more would not help in a bundled script. */
const MOST = 50;

/**
 * Finds calls of functions that the script does not declare: otherwise a misspelt function fails only when its line
 * runs.
 */
export function createCallReader(): Visitor & {
  /** `declared`: the names that the script declares, anywhere. */
  unknown(declared: Set<string>): UnknownCall[];
} {
  const called = new Map<string, number>();
  /** Names that it checks, or defines, in another way. */
  const known = new Set<string>(["arguments", "eval"]);
  return {
    enter(node) {
      if (node.type === "CallExpression" && node.callee.type === "Identifier") {
        const { name, start } = node.callee;
        if (!called.has(name)) called.set(name, start);
      } else for (const name of otherwiseKnown(node)) known.add(name);
    },
    unknown: (declared) =>
      [...called]
        .filter(([name]) => !declared.has(name) && !known.has(name))
        .slice(0, MOST)
        .map(([name, at]) => ({ name, at, message: unknownText(name) })),
  };
}

function otherwiseKnown(node: AnyNode): string[] {
  if (node.type === "AssignmentExpression") return boundNames(node.left).map(({ name }) => name);
  const isAsked = node.type === "UnaryExpression" && node.operator === "typeof";
  return isAsked && node.argument.type === "Identifier" ? [node.argument.name] : [];
}

/** The gateway's functions, as in handlers/gatehook.d.ts. */
const FUNCTIONS = [
  ..."log rawlog b64enc b64dec rawb64enc rawb64dec".split(" "),
  ..."TykGetKeyData TykSetKeyData TykDelKeyData TykMakeHttpRequest TykBatchRequest TykJsResponse".split(" "),
  ..."TykStorageGet TykStorageSet TykStorageSetNX TykStorageDel TykStorageTTL TykStorageIncr".split(" "),
];
const nearest = createNearest(FUNCTIONS);
const LONGEST = 40;

/** Functions of other environments, and their replacements here. */
const INSTEAD = new Map([
  ["fetch", "TykMakeHttpRequest asks another host"],
  ["setTimeout", "a handler has no timers"],
  ["setInterval", "a handler has no timers"],
  ["atob", "b64dec does it"],
  ["btoa", "b64enc does it"],
]);

function unknownText(name: string): string {
  const near = name.length <= LONGEST ? nearest(name) : undefined;
  const hint = INSTEAD.get(name) ?? (near && `did you mean ${near}?`);
  return `${name} is not defined, so this call throws${hint ? `: ${hint}` : ""}`;
}
