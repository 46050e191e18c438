import type { AnyNode } from "acorn";
import { createNearest } from "../apis/nearest.ts";
import { boundNames, type Finding, type Visitor } from "./parse.ts";

/** A call that throws unless there is a global variable of its name when it runs. */
export interface UnknownCall extends Finding {
  name: string;
}

/** The most calls reported of one script: more of a bundled script help nobody. */
const MOST = 50;

/** Reads calls of what the script itself does not declare: a misspelt function is found when its line runs, or never. */
export function createCallReader(): Visitor & {
  /** `declared`: the names that the script declares, anywhere. */
  unknown(declared: Set<string>): UnknownCall[];
} {
  const called = new Map<string, number>();
  /** Names that it asks for, or makes, in another way. */
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

/** What the gateway gives its scripts, as handlers/gatehook.d.ts has it. */
const FUNCTIONS = [
  ..."log rawlog b64enc b64dec rawb64enc rawb64dec".split(" "),
  ..."TykGetKeyData TykSetKeyData TykDelKeyData TykMakeHttpRequest TykBatchRequest TykJsResponse".split(" "),
  ..."TykStorageGet TykStorageSet TykStorageSetNX TykStorageDel TykStorageTTL TykStorageIncr".split(" "),
];
const nearest = createNearest(FUNCTIONS);
const LONGEST = 40;

/** What other places give their scripts, and what does it here. */
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
