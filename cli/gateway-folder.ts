import { existsSync } from "node:fs";
import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { GatewayFolder } from "../lib/attach/gather.ts";
import { parseTykConf } from "../lib/attach/tyk-conf.ts";
import { errorText } from "../lib/errors.ts";
import type { SourceFile } from "../lib/releases/sources.ts";
import { readText, UsageError, unreadable } from "./terminal/usage.ts";

/** The places of a gateway's files. */
export interface GatewayPlaces {
  /** The folder of its API definitions. */
  apps: string;
  /** The base folder of the paths of handlers: its working directory. */
  scripts: string;
  tykConf?: string;
}

/** Throws a UsageError if one of them cannot be read. */
export async function readGateway({ apps, scripts, tykConf }: GatewayPlaces): Promise<GatewayFolder> {
  const conf = tykConf ? await readConf(tykConf) : undefined;
  const folders = await Promise.all([apps, scripts].map(realOf));
  return {
    apps: await readApps(apps, folders),
    ...(conf && { conf }),
    readScript: (path) => readScript(scripts, path, folders),
  };
}

/**
 * What is read becomes part of the project, which is uploaded. In a gateway's folder from somebody else a link, or a
 * path with `..`, may lead to a file of the user.
 */
async function refuseOutside(file: string, folders: string[]): Promise<void> {
  const real = await realpath(file);
  if (folders.some((folder) => isInside(real, folder))) return;
  throw new UsageError(
    `${file} leads out of the gateway's folder, to ${real}, and what is there would be uploaded: put a copy into ` +
      "the folder",
  );
}

/** The places in a gateway's own folder, as its tyk.conf has them. */
export async function gatewayIn(folder: string): Promise<GatewayPlaces> {
  const scripts = resolve(folder);
  const tykConf = join(scripts, "tyk.conf");
  if (!existsSync(tykConf)) return { apps: join(scripts, "apps"), scripts };
  const { appPath = "apps" } = await readConf(tykConf);
  return { apps: resolve(scripts, appPath), scripts, tykConf };
}

const readConf = async (file: string) =>
  parseTykConf(basename(file), await readText(file, "gateway's configuration"));

async function readApps(folder: string, folders: string[]): Promise<SourceFile[]> {
  const names = await readdir(folder).catch((cause) => {
    throw unreadable(`the gateway's folder of API definitions ${folder}`, cause);
  });
  const found = names.filter((name) => name.endsWith(".json")).sort();
  if (found.length === 0)
    throw new UsageError(`${folder} has no API definition: there is no .json file in it`);
  return Promise.all(
    found.map(async (path) => {
      const file = join(folder, path);
      if (existsSync(file)) await refuseOutside(file, folders);
      return { path, text: await readText(file, "API definition") };
    }),
  );
}

/** The gateway takes an absolute path as it is; it is followed here where it leads into the gateway's folder. */
async function readScript(folder: string, path: string, folders: string[]): Promise<string | undefined> {
  const inside = join(folder, path);
  const absolute = resolve("/", path);
  for (const file of isInside(absolute, resolve(folder)) ? [inside, absolute] : [inside]) {
    try {
      await refuseOutside(file, folders);
      return await readFile(file, "utf8");
    } catch (cause) {
      if (cause instanceof UsageError) throw cause;
      const { code = "" } = cause as NodeJS.ErrnoException;
      if (!["ENOENT", "ENOTDIR", "EISDIR"].includes(code))
        throw new UsageError(`the script ${file} cannot be read: ${errorText(cause)}`, { cause });
    }
  }
  return undefined;
}

/** Throws a UsageError if one of these files is in the gateway's own folder, directly or through a symbolic link. */
export async function refuseGatewayFolder(
  wanted: { file: string }[],
  { apps, scripts, tykConf }: GatewayPlaces,
): Promise<void> {
  const own = await Promise.all([apps, scripts].map(realOf));
  const above = tykConf && dirname(await realOf(tykConf));
  if (above && own.some((folder) => isInside(folder, above))) own.push(above);
  for (const folder of new Set(wanted.map(({ file }) => dirname(file)))) {
    const real = await realOf(folder);
    const within = own.find((one) => isInside(real, one));
    if (within === undefined) continue;
    throw new UsageError(
      `${folder} is in the gateway's own folder ${within}, where nothing is written: name another folder with --dir ` +
        "or --out",
    );
  }
}

/** Whether a path is the folder itself or below it. Only the texts are compared: symbolic links are not followed. */
export const isInside = (path: string, folder: string) => {
  const way = relative(folder, path);
  return way === "" || !(way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way));
};

/** The real path of a path, even if only its beginning exists. */
async function realOf(path: string): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch {
    const above = dirname(whole);
    return above === whole ? whole : join(await realOf(above), basename(whole));
  }
}
