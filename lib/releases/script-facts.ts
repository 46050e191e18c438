import { blockFunctions, createDeclarationReader } from "./block-functions.ts";
import { createPatternReader } from "./go-patterns.ts";
import { createLines, type Finding, parseScript, walk } from "./parse.ts";
import { createNameReader } from "./script-names.ts";
import { createStrictReader } from "./strict-mode.ts";

/** What the text of a script tells before it is loaded. */
export interface ScriptFacts {
  /** What may be a handler, by its name or path of names, with its line. */
  names: Map<string, number>;
  /** The global variables that it declares by `let`, `const` and `class`. */
  declared: string[];
  /** What the gateway's engine takes in another way than this one: regular expressions, and the rest. */
  patterns: Note[];
  odd: Note[];
  /** Assignments that fail unless there is a global variable of this name. */
  undeclared: (Note & { name: string })[];
}

export interface Note {
  line: number;
  message: string;
}

/** Nothing is told of a text that is no script: loading it tells what is wrong. */
export function readScript(source: string): ScriptFacts {
  const program = parseScript(source);
  if (!program) return { names: new Map(), declared: [], patterns: [], odd: [], undeclared: [] };
  const names = createNameReader();
  const patterns = createPatternReader();
  const strict = createStrictReader();
  const declarations = createDeclarationReader();
  walk(program, [names, patterns, strict, declarations]);
  const declared = new Set([...declarations.declared, ...declarations.certain.keys()]);
  const lineOf = createLines(source);
  const noted = <T extends Finding>({ at, ...rest }: T) => ({ ...rest, line: lineOf(at) });
  return {
    names: new Map([...names.names()].map(([name, at]) => [name, lineOf(at)])),
    declared: names.declared,
    patterns: patterns.findings.map(noted),
    odd: [...strict.findings, ...blockFunctions(program, declarations)].map(noted),
    undeclared: strict.undeclared(declared).map(noted),
  };
}
