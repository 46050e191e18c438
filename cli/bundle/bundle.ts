import { realpathSync } from "node:fs";
import { basename, dirname, join, posix, resolve } from "node:path";
import type { BuildFailure, BuildOptions, Loader, Message, Plugin } from "esbuild";
import { AppError, errorText } from "../../lib/errors.ts";
import { ownHandlers } from "../../lib/releases/modules.ts";
import type { Bundler } from "./esbuild.ts";
import { NO_DATA_FROM_OUTSIDE, NO_DYNAMIC_IMPORT, NO_STYLESHEET } from "./mistakes.ts";
import { isCode, isInside, isOfPackage } from "./paths.ts";

/** The source file of a script: its place and its content. */
export interface Entry {
  file: string;
  text: string;
}

/** The bundle of one file and its imports. */
export interface Bundle {
  /** One classic script. */
  script: string;
  /** Its source map; the paths of sources are relative to the script. */
  map: string;
  /** All files in the bundle. */
  inputs: string[];
  warnings: Message[];
}

/** The errors of the bundler. */
export class BundleFailure extends Error {
  readonly messages: Message[];
  constructor(messages: Message[]) {
    super("not bundled");
    this.messages = messages;
  }
}

/**
 * Bundles a file and its imports into one script. The file's exports become global, and so do the handlers that it
 * creates at its top level, as in a script without imports. The same files result in the same text on every machine:
 * paths in it are relative to the folder. `out`: the path of the script below handlers/. Throws BundleFailure, and
 * `release-invalid` if the bundler itself cannot run.
 */
export async function bundle(
  bundler: Bundler,
  { folder, out, entry }: { folder: string; out: string; entry: Entry },
): Promise<Bundle> {
  const text = entry.text + (await ownGlobals(bundler, entry));
  const name = `exports of ${basename(entry.file)}`;
  try {
    const { outputFiles, metafile, warnings } = await bundler.build({
      ...OPTIONS,
      absWorkingDir: folder,
      outfile: join(folder, "handlers", out),
      stdin: {
        contents: exportsAsGlobals(basename(entry.file)),
        resolveDir: dirname(entry.file),
        sourcefile: name,
        loader: "js",
      },
      plugins: [ofHandlers(folder, { file: entry.file, text })],
    });
    const textOf = (ending: string) => outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
    const inputs = Object.keys(metafile.inputs)
      .filter((input) => posix.basename(input) !== name)
      .map((input) => resolve(folder, input));
    return {
      script: textOf(".js"),
      map: withTextsOf(inputs, { folder, out, map: textOf(".map") }),
      inputs,
      warnings,
    };
  } catch (thrown) {
    const { errors } = thrown as Partial<BuildFailure>;
    if (Array.isArray(errors)) throw new BundleFailure(errors);
    throw new AppError("release-invalid", `esbuild: ${errorText(thrown)}`, { cause: thrown });
  }
}

/**
 * The source map with the texts of these files only. A file may name a source map of its own, and the bundler reads each
 * file that such a map names: in a folder from somebody else, any file of the user.
 */
function withTextsOf(
  inputs: string[],
  { folder, out, map }: { folder: string; out: string; map: string },
): string {
  const read = JSON.parse(map) as { sources: string[]; sourcesContent: (string | null)[] };
  const around = join(folder, "handlers", dirname(out));
  const known = new Set(inputs);
  const sourcesContent = read.sources.map((source, at) =>
    known.has(resolve(around, source)) ? (read.sourcesContent[at] ?? null) : null,
  );
  return `${JSON.stringify({ ...read, sourcesContent }, null, 2)}\n`;
}

const OPTIONS = {
  bundle: true,
  write: false,
  format: "iife",
  // Neither a browser nor Node: their APIs are not available.
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["module"],
  resolveExtensions: [".ts", ".mts", ".js", ".mjs", ".cjs", ".json"],
  target: "es2023",
  charset: "utf8",
  sourcemap: "linked",
  metafile: true,
  allowOverwrite: true,
  logLevel: "silent",
  logOverride: { "unsupported-require-call": "warning" },
  define: { "process.env.NODE_ENV": '"production"' },
} satisfies BuildOptions & { write: false; metafile: true };

const exportsAsGlobals = (file: string) =>
  `import * as handlers from ${JSON.stringify(`./${file}`)};
for (const name in handlers) if (name !== "default") globalThis[name] = handlers[name];
`;

/** Returns the code to append, so that the lines of the text keep their numbers. */
async function ownGlobals(bundler: Bundler, { file, text }: Entry): Promise<string> {
  if (!text.includes("NewEventHandler")) return "";
  // The bundler finds an error again, and reports it then.
  const plain = await bundler
    .transform(text, { loader: loaderOf(file), logLevel: "silent" })
    .catch(() => undefined);
  const names = plain ? ownHandlers(plain.code) : [];
  return names.map((name) => `\n;globalThis.${name} = ${name};`).join("");
}

const loaderOf = (file: string): Loader => (/\.m?ts$/.test(file) ? "ts" : "js");

function ofHandlers(folder: string, { file, text }: Entry): Plugin {
  // The bundler has followed all links in the paths that it loads.
  const root = realpathSync(folder);
  return {
    name: "gatehook",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ kind, importer }) => {
        if (kind !== "dynamic-import" || isOfPackage(importer)) return undefined;
        return { errors: [{ text: NO_DYNAMIC_IMPORT }] };
      });
      onLoad({ filter: /\.css$/ }, () => ({ errors: [{ text: NO_STYLESHEET }] }));
      onLoad({ filter: /./ }, ({ path }) => {
        if (path === file) return { contents: text, loader: loaderOf(file) };
        // A folder from somebody else must not have the user's files uploaded, such as credentials.
        if (isCode(path) || isOfPackage(path) || isInside(root, path)) return undefined;
        return { errors: [{ text: NO_DATA_FROM_OUTSIDE }] };
      });
    },
  };
}
