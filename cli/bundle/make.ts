import { dirname, join } from "node:path";
import type { Problem } from "../../lib/releases/sources.ts";
import { BundleFailure, bundle, isOfPackage } from "./bundle.ts";
import { type Bundler, loadBundler } from "./esbuild.ts";
import { asProblem } from "./mistakes.ts";
import type { Made } from "./places.ts";

/** Scripts that were made of files with all that these import. */
export interface Making {
  made: Made[];
  /** The paths of those of which nothing could be made. */
  unmade: Set<string>;
  problems: Problem[];
  warnings: Problem[];
  /** Every file that is in them, wherever it lies. */
  inputs: string[];
}

/** A file to make a script of. */
export interface Input {
  /** What the sandbox calls the script, and what it is called below handlers/. */
  path: string;
  out: string;
  /** Where the file is, without symbolic links; what messages call it; and what it holds. */
  file: string;
  source: string;
  text: string;
}

/** Where scripts are made, and the names that problems have for files. */
export interface MakeOptions {
  /** The folder, without symbolic links in its path. */
  root: string;
  /** How messages call a file. */
  nameOf(file: string): string;
}

/** Throws `release-invalid` without a bundler. */
export async function makeScripts(inputs: Input[], options: MakeOptions): Promise<Making> {
  const bundler = inputs.length > 0 ? loadBundler(options.root) : undefined;
  const all = await Promise.all(
    inputs.flatMap((input) => (bundler ? makeScript(input, bundler, options) : [])),
  );
  return {
    made: all.map(({ made }) => made),
    unmade: new Set(all.flatMap(({ made, problems }) => (problems.length > 0 ? made.path : []))),
    problems: distinct(all.flatMap(({ problems }) => problems)),
    // What is odd about a package is not for its user to fix.
    warnings: distinct(all.flatMap(({ warnings }) => warnings)).filter(({ file }) => !isOfPackage(file)),
    inputs: [...new Set(all.flatMap(({ inputs }) => inputs))],
  };
}

async function makeScript(
  { path, out, file, source, text }: Input,
  bundler: Bundler,
  { root, nameOf }: MakeOptions,
) {
  const around = join(root, "handlers", dirname(out));
  const named = { path, source, sourceName: (name: string) => nameOf(join(around, name)) };
  try {
    const { script, map, inputs, warnings } = await bundle(bundler, {
      folder: root,
      out,
      entry: { file, text },
    });
    const odd = warnings.map((message) => asProblem(message, nameOf));
    return { made: { ...named, script, map }, inputs, problems: [], warnings: odd };
  } catch (thrown) {
    if (!(thrown instanceof BundleFailure)) throw thrown;
    const problems = thrown.messages.map((message) => asProblem(message, nameOf));
    return { made: { ...named, script: "", map: "{}" }, inputs: [file], problems, warnings: [] };
  }
}

const distinct = (problems: Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values(),
];
