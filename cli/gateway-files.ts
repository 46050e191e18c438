import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { ConfMembers } from "../lib/attach/tyk-conf.ts";
import type { SourceFile } from "../lib/releases/sources.ts";
import { foldersText, placeIn } from "../lib/settings/project.ts";
import { type GatewayPlaces, isInside } from "./gateway-folder.ts";
import { readProject } from "./project.ts";
import type { Wanted } from "./put-files.ts";
import { UsageError } from "./terminal/usage.ts";

/** The options of `attach`, and those of `detach`, which has fewer. */
export interface AttachOptions {
  apps: string;
  /** By default the parent folder of the definitions. */
  scripts?: string;
  tykConf?: string;
  /** The project's folder. */
  dir: string;
  /** The folder of the files for the gateway; by default `gateway/` in the project. */
  out?: string;
  url?: string;
  dryRun?: boolean;
  force?: boolean;
  json?: boolean;
}

/** The absolute paths of the gateway's files. It does not read files. */
export const placesOf = ({ apps, scripts, tykConf }: AttachOptions): GatewayPlaces => ({
  apps: resolve(apps),
  scripts: resolve(scripts ?? dirname(resolve(apps))),
  ...(tykConf && { tykConf: resolve(tykConf) }),
});

/**
 * The folders that `attach` writes to: `dir` for the project's files, `out` for files that only the gateway may read.
 * Absolute paths.
 */
export interface AttachFolders {
  dir: string;
  out: string;
  /** The path in the project of a file of the release. */
  own(path: string): string;
}

/** Throws a UsageError if the gateway's files would be uploaded with the project's, or mixed with them. */
export async function foldersOf(options: AttachOptions): Promise<AttachFolders> {
  const dir = resolve(options.dir);
  const out = resolve(options.out ?? join(dir, "gateway"));
  const { folders: names } = await readProject(dir);
  const uploaded = Object.values(names).map((name) => join(dir, name));
  if (out === dir || uploaded.some((folder) => isInside(out, folder)))
    throw new UsageError(`--out must be a folder of its own, outside of ${foldersText(names)}`);
  return { dir, out, own: (path) => join(dir, placeIn(names, path)) };
}

/** The files that only the gateway may read: its definitions contain the token, and may contain its own secrets. */
export function gatewayFiles(out: string, apps: SourceFile[], members: ConfMembers | undefined): Wanted[] {
  const secret = { replace: true, secret: true };
  const conf = members && `${JSON.stringify(members, undefined, 2)}\n`;
  return [
    // They must not be committed to a repository.
    { file: join(out, ".gitignore"), text: "*\n", replace: false },
    ...apps.map(({ path, text }) => ({ file: join(out, "apps", path), text, ...secret })),
    ...(conf ? [{ file: join(out, CONF_MEMBERS), text: conf, ...secret }] : []),
  ];
}

/** To be merged into the gateway's tyk.conf. */
export const CONF_MEMBERS = "tyk.conf-members.json";

/** Definitions of an earlier run, which must not be copied any longer. */
export async function staleFiles(out: string, wanted: Wanted[]): Promise<string[]> {
  const folder = join(out, "apps");
  const names = await readdir(folder).catch(() => []);
  const fresh = new Set(wanted.map(({ file }) => file));
  return names
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(folder, name))
    .filter((file) => !fresh.has(file));
}
