import { blockFunctions, createDeclarationReader } from "./block-functions.ts";
import { createPatternReader } from "./go-patterns.ts";
import { createImportReader, moduleSyntax } from "./module-syntax.ts";
import { createLines, type Finding, parseScript, walk } from "./parse.ts";
import { createNameReader } from "./script-names.ts";
import { createStrictReader } from "./strict-mode.ts";
import { createCallReader } from "./unknown-calls.ts";

/** Facts about a script from its text, before it is loaded. */
export interface ScriptFacts {
  /** Possible handlers, by name or path, with their lines. */
  names: Map<string, number>;
  /** The global variables that it declares with `let`, `const` and `class`. */
  declared: string[];
  /** Syntax that the gateway's engine treats differently: regular expressions, and the rest. */
  patterns: Note[];
  odd: Note[];
  /** Assignments and calls that fail unless there is a global variable with this name. */
  undeclared: (Note & { name: string })[];
  /** The first module syntax in a script, which keeps it from loading; and each `import()`. */
  moduleSyntax?: Note & { column: number };
  imports: Note[];
}

/** A fact about a script, at a line counted from 1. */
export interface Note {
  line: number;
  message: string;
}

/** Finds little in a text with syntax errors: loading it reports them. */
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
