import { SourceMap } from "node:module";
import type { Problem } from "../../lib/releases/sources.ts";
import { NO_MODULES } from "../../lib/runtime/worker/failures.ts";
import { NO_DYNAMIC_IMPORT } from "./mistakes.ts";

/** A bundled script, by its name in stack traces: `foo.js` or `handlers/foo.js`. */
export interface Made {
  path: string;
  /** The name of its source file in messages, and a function for the name of a file in the source map. */
  source: string;
  sourceName(name: string): string;
  script: string;
  map: string;
}

/** Maps places in bundled scripts to places in their source files. */
export interface Places {
  /** The source file of a script, by the path of its upload. */
  sourceOf(file: string): string | undefined;
  problem(problem: Problem): Problem;
  /** The text with each `foo.js:12:5` of a stack mapped. */
  text(text: string): string;
}

interface Place {
  file: string;
  line: number;
  column: number;
}

/** Reads a source map when a place in its script is first needed. Without scripts, nothing is changed. */
export function createPlaces(made: Made[]): Places {
  if (made.length === 0)
    return { sourceOf: () => undefined, problem: (problem) => problem, text: (text) => text };
  const scripts = new Map(made.map((one) => [one.path, { ...one, find: createFinder(one) }]));
  const known = [...scripts.keys()].sort((a, b) => b.length - a.length).map(escaped);
  const frame = new RegExp(`(?<![\\w./-])(?:handlers/)?(${known.join("|")}):(\\d+)(?::(\\d+))?`, "g");
  const scriptOf = (file: string) => scripts.get(file) ?? scripts.get(file.replace(/^handlers\//, ""));

  function origin(path: string, line: number, column?: number): Place | undefined {
    const script = scripts.get(path);
    const found = script?.find(line, column);
    return found && { ...found, file: script?.sourceName(found.file) ?? "" };
  }

  const text = (whole: string) =>
    whole.replace(frame, (_, path: string, line: string, column?: string) => {
      const place = origin(path, Number(line), column === undefined ? undefined : Number(column));
      if (!place) return `${path} (bundler)`;
      return [place.file, place.line, ...(column === undefined ? [] : [place.column])].join(":");
    });

  return {
    text,
    sourceOf: (file) => scriptOf(file)?.source,
    problem(problem) {
      const script = scriptOf(problem.file);
      if (!script) return { ...problem, message: text(problem.message) };
      const { line, column, ...rest } = problem;
      const message = text(ofMade(problem.message));
      const place = line === undefined ? undefined : origin(script.path, line, column);
      if (!place) return { ...rest, file: script.source, message };
      const { file, line: row, column: at } = place;
      return { ...rest, file, line: row, ...(column !== undefined && { column: at }), message };
    },
  };
}

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Adapts a message about a script to one that is bundled from a file with imports. */
export function ofMade(message: string): string {
  if (message === NO_MODULES) return NO_DYNAMIC_IMPORT;
  return message.startsWith("there is no handler ") ? message + EXPORTED : message;
}

const EXPORTED = "; the exports of a bundled file are global: export it under this name";

/** Lines and columns are counted from 1. A place in the bundler's own code has no source. */
function createFinder({ script, map }: Made): (line: number, column?: number) => Place | undefined {
  let opened: SourceMap | undefined;
  let lines: string[] | undefined;
  return (line, column) => {
    opened ??= new SourceMap(JSON.parse(map));
    lines ??= script.split("\n");
    // Without a column, the first character of the line.
    const at = column ?? (lines[line - 1]?.search(/\S|$/) ?? 0) + 1;
    const entry = opened.findEntry(line - 1, at - 1);
    if (!("originalSource" in entry) || entry.generatedLine !== line - 1) return undefined;
    return { file: entry.originalSource, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
  };
}
