import { dirname, join, resolve } from "node:path";
import type { Problem } from "../../lib/releases/sources.ts";
import { BundleFailure, bundle } from "./bundle.ts";
import { type Bundler, loadBundler } from "./esbuild.ts";
import { asProblem } from "./mistakes.ts";
import { isCode, isInFolder, isOfPackage } from "./paths.ts";
import type { Made } from "./places.ts";

/** Scripts that were bundled from files and their imports. */
export interface Making {
  made: Made[];
  /** The paths of the scripts that could not be made. */
  unmade: Set<string>;
  problems: Problem[];
  warnings: Problem[];
  /** All files in the bundles, in any folder. */
  inputs: string[];
}

/** The source file of a script. */
export interface Input {
  /** The name of the script in the sandbox, and its path below handlers/. */
  path: string;
  out: string;
  /** The path of the file without symbolic links, its name in messages, and its content. */
  file: string;
  source: string;
  text: string;
}

/** The folder, and the names of files in problems. */
export interface MakeOptions {
  /** The folder, without symbolic links in its path. */
  root: string;
  /** The name of a file in messages. */
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
    // The user of a package cannot fix its warnings.
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
  const naming = { nameOf, isInFolder: (path: string) => isInFolder(root, resolve(root, path)) };
  try {
    const { script, map, inputs, warnings } = await bundle(bundler, {
      folder: root,
      out,
      entry: { file, text },
    });
    const odd = warnings.map((message) => asProblem(message, naming));
    return { made: { ...named, script, map }, inputs, problems: [], warnings: odd };
  } catch (thrown) {
    if (!(thrown instanceof BundleFailure)) throw thrown;
    const problems = thrown.messages.map((message) => asProblem(message, naming));
    const read = thrown.messages.flatMap(({ location }) => (location ? resolve(root, location.file) : []));
    const inputs = [...new Set([file, ...read.filter(isCode)])];
    return { made: { ...named, script: "", map: "{}" }, inputs, problems, warnings: [] };
  }
}

const distinct = (problems: Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values(),
];
