import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { isModule } from "../lib/releases/modules.ts";
import { isModuleFile, type Problem, scriptOf } from "../lib/releases/sources.ts";
import type { Script, ScriptError } from "../lib/runtime/protocol.ts";
import { makeScripts } from "./bundle/make.ts";
import { seenFrom } from "./bundle/paths.ts";
import { createPlaces, ofMade } from "./bundle/places.ts";
import { codeFrame } from "./terminal/problem-lines.ts";

/** A bundled script, or the reason why it cannot be bundled. */
export interface RunSource {
  source: string;
  /** A text about the script, with places mapped to its source files. */
  atSources(text: string): string;
  fault: ScriptError | undefined;
}

/**
 * Bundles a file with its imports into a script; undefined for a file without imports. Paths in messages are relative.
 */
export async function makeRunSource(
  { path, source: text }: Script,
  dir: string,
): Promise<RunSource | undefined> {
  if (!isModuleFile(`handlers/${path}`) && !isModule(text)) return undefined;
  const file = await realpath(path);
  const nameOf = (of: string) => seenFrom(process.cwd(), of);
  const input = { path, out: scriptOf(basename(file)), file, source: path, text };
  const { made, problems } = await makeScripts([input], { root: await realpath(dir), nameOf });
  const places = createPlaces(made);
  const [first, ...others] = problems;
  return {
    source: made[0]?.script ?? "",
    atSources: (said) => places.text(ofMade(said)),
    fault: first && {
      name: "",
      message: placed(first),
      stack: [...frameOf(first), ...others.map(placed)].join("\n"),
    },
  };
}

const placed = ({ file, line, column, message }: Problem) =>
  `${[file, line, column].filter((part) => part !== undefined).join(":")}: ${message}`;

function frameOf(problem: Problem): string[] {
  try {
    return codeFrame(readFileSync(resolve(problem.file), "utf8"), problem, FRAME_COLUMNS);
  } catch {
    return [];
  }
}

const FRAME_COLUMNS = 100;
