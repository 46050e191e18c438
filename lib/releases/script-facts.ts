import { blockFunctions, createDeclarationReader } from "./block-functions.ts";
import { createPatternReader } from "./go-patterns.ts";
import { createImportReader, moduleSyntax } from "./module-syntax.ts";
import { createLines, type Finding, parseScript, walk } from "./parse.ts";
import { createNameReader } from "./script-names.ts";
import { createStrictReader } from "./strict-mode.ts";
import { createCallReader } from "./unknown-calls.ts";

/** What is known of a script from its text, before it is loaded. */
export interface ScriptFacts {
  /** What may be a handler, by its name or path of names, with its line. */
  names: Map<string, number>;
  /** The global variables that it declares by `let`, `const` and `class`. */
  declared: string[];
  /** What the gateway's engine takes in another way than this one: regular expressions, and the rest. */
  patterns: Note[];
  odd: Note[];
  /** Assignments and calls that fail unless there is a global variable of this name. */
  undeclared: (Note & { name: string })[];
  /** The first place that only a module may have, of a script that does not load for it; and each `import()`. */
  moduleSyntax?: Note & { column: number };
  imports: Note[];
}

/** Something about a script, at a line counted from 1. */
export interface Note {
  line: number;
  message: string;
}

/** Finds little in a text that is not a script: loading it shows what is wrong. */
export function readScript(source: string): ScriptFacts {
  const lineOf = createLines(source);
  const noted = <T extends Finding>({ at, ...rest }: T) => ({ ...rest, line: lineOf(at) });
  let found: Finding | undefined;
  const program = parseScript(source, (at) => {
    found = moduleSyntax(source, at);
  });
  if (!program) {
    const nothing = { names: new Map(), declared: [], patterns: [], odd: [], undeclared: [], imports: [] };
    if (!found) return nothing;
    return { ...nothing, moduleSyntax: { ...noted(found), column: columnOf(source, found.at) } };
  }
  const names = createNameReader();
  const patterns = createPatternReader();
  const strict = createStrictReader();
  const declarations = createDeclarationReader();
  const imports = createImportReader();
  const calls = createCallReader();
  walk(program, [names, patterns, strict, declarations, imports, calls]);
  const declared = new Set([...declarations.declared, ...declarations.certain.keys()]);
  return {
    names: new Map([...names.names()].map(([name, at]) => [name, lineOf(at)])),
    declared: names.declared,
    patterns: patterns.findings.map(noted),
    odd: [...strict.findings, ...blockFunctions(program, declarations)].map(noted),
    undeclared: [...strict.undeclared(declared), ...calls.unknown(declared)].map(noted),
    imports: imports.findings.map(noted),
  };
}

const columnOf = (source: string, at: number) => at - source.lastIndexOf("\n", at - 1);
