import { basename, dirname, isAbsolute, join, posix, relative, resolve, sep } from "node:path";
import type { BuildFailure, BuildOptions, Loader, Message, Plugin } from "esbuild";
import { AppError, errorText } from "../../lib/errors.ts";
import { ownHandlers } from "../../lib/releases/modules.ts";
import type { Bundler } from "./esbuild.ts";
import { NO_DYNAMIC_IMPORT, NO_STYLESHEET } from "./mistakes.ts";

/** A file of which a script is made, where it is and what it holds. */
export interface Entry {
  file: string;
  text: string;
}

/** What was made of one file and of what it imports. */
export interface Bundle {
  /** One classic script. */
  script: string;
  /** Its source map; sources are named as seen from where the script is. */
  map: string;
  /** Every file that is in it. */
  inputs: string[];
  warnings: Message[];
}

/** What the bundler found wrong. */
export class BundleFailure extends Error {
  readonly messages: Message[];
  constructor(messages: Message[]) {
    super("not bundled");
    this.messages = messages;
  }
}

/**
 * Makes one script of a file with all that it imports. The file's exports become global, and so do the handlers that it
 * makes at its top level, as in a script without imports. The same files give the same text on every machine: paths in
 * it are relative to the folder. `out`: the path of the script below handlers/. Throws BundleFailure, and
 * `release-invalid` where the bundler itself does not run.
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
      plugins: [ofHandlers({ file: entry.file, text })],
    });
    const textOf = (ending: string) => outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
    return {
      script: textOf(".js"),
      map: textOf(".map"),
      inputs: Object.keys(metafile.inputs)
        .filter((input) => posix.basename(input) !== name)
        .map((input) => resolve(folder, input)),
      warnings,
    };
  } catch (thrown) {
    const { errors } = thrown as Partial<BuildFailure>;
    if (Array.isArray(errors)) throw new BundleFailure(errors);
    throw new AppError("release-invalid", `esbuild: ${errorText(thrown)}`, { cause: thrown });
  }
}

const OPTIONS = {
  bundle: true,
  write: false,
  format: "iife",
  // Neither a browser nor Node: nothing of either is there.
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

/** Behind the text, so that its lines stay where they are. */
async function ownGlobals(bundler: Bundler, { file, text }: Entry): Promise<string> {
  if (!text.includes("NewEventHandler")) return "";
  // A mistake is found by the bundler again, and told then.
  const plain = await bundler
    .transform(text, { loader: loaderOf(file), logLevel: "silent" })
    .catch(() => undefined);
  const names = plain ? ownHandlers(plain.code) : [];
  return names.map((name) => `\n;globalThis.${name} = ${name};`).join("");
}

const loaderOf = (file: string): Loader => (/\.m?ts$/.test(file) ? "ts" : "js");

function ofHandlers({ file, text }: Entry): Plugin {
  return {
    name: "gatehook",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ kind, importer }) => {
        if (kind !== "dynamic-import" || isOfPackage(importer)) return undefined;
        return { errors: [{ text: NO_DYNAMIC_IMPORT }] };
      });
      onLoad({ filter: /\.css$/ }, () => ({ errors: [{ text: NO_STYLESHEET }] }));
      onLoad({ filter: /./ }, ({ path }) =>
        path === file ? { contents: text, loader: loaderOf(file) } : undefined,
      );
    },
  };
}

/** Whether a file was installed, rather than written for the folder. */
export const isOfPackage = (file: string) => file.split(/[\\/]/).includes("node_modules");

/** A path as seen from a folder, with slashes. */
export function seenFrom(folder: string, file: string): string {
  const way = isAbsolute(file) ? relative(folder, file) : file;
  return way.split(sep).join("/");
}
