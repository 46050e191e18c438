import { SourceMap } from "node:module";
import type { Problem } from "../../lib/releases/sources.ts";
import { NO_MODULES } from "../../lib/runtime/worker/failures.ts";
import { NO_DYNAMIC_IMPORT } from "./mistakes.ts";

/** A script that was made of others, as a place in it is called: `foo.js`, or `handlers/foo.js`. */
export interface Made {
  path: string;
  /** The file that it was made of, as a message calls it, and how one calls a file that the map names. */
  source: string;
  sourceName(name: string): string;
  script: string;
  map: string;
}

/** From places in scripts that were made of others to the places in those. */
export interface Places {
  /** The file of which the script was made that is uploaded as this one. */
  sourceOf(file: string): string | undefined;
  problem(problem: Problem): Problem;
  /** With each `foo.js:12:5` of a stack in it. */
  text(text: string): string;
}

interface Place {
  file: string;
  line: number;
  column: number;
}

/** Reads a source map when a place in its script is first asked for. Without scripts, all stays as it is. */
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

/** What is said of a script, where it was made of a file that may import. */
export function ofMade(message: string): string {
  if (message === NO_MODULES) return NO_DYNAMIC_IMPORT;
  return message.startsWith("there is no handler ") ? message + EXPORTED : message;
}

const EXPORTED = "; the exports of a bundled file are global: export it under this name";

/** Lines and columns count from 1. A place of the bundler's own has no origin. */
function createFinder({ script, map }: Made): (line: number, column?: number) => Place | undefined {
  let opened: SourceMap | undefined;
  let lines: string[] | undefined;
  return (line, column) => {
    opened ??= new SourceMap(JSON.parse(map));
    lines ??= script.split("\n");
    // Without a column, what the line begins with.
    const at = column ?? (lines[line - 1]?.search(/\S|$/) ?? 0) + 1;
    const entry = opened.findEntry(line - 1, at - 1);
    if (!("originalSource" in entry) || entry.generatedLine !== line - 1) return undefined;
    return { file: entry.originalSource, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
  };
}
