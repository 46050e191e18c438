import type { Stats } from "node:fs";
import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { AppError } from "../lib/errors.ts";
import { CORE_SCRIPT, GATEWAY_FILE, SOURCE_FOLDERS, type SourceFile } from "../lib/releases/sources.ts";
import { type Folders, foldersText, OWN_FOLDERS } from "../lib/settings/project.ts";

/**
 * The uploadable files of a folder: apis/*.json, handlers/**\/*.js, templates/**, gateway.json and tykjs.js, with these
 * names even if `names` has others for the first two folders. The files are shown and uploaded, so a symbolic link to a
 * target outside the two folders is rejected with `release-invalid`; other links are followed. Throws `local-failed` if
 * one of the two is missing. `endings`: other endings of the files in the two.
 */
export async function readSourceFiles(
  folder: string,
  names: Folders = OWN_FOLDERS,
  endings: Endings = SOURCE_FOLDERS,
): Promise<SourceFile[]> {
  const root = await realpath(folder).catch(() => folder);
  const folders = await Promise.all(
    (["apis", "handlers"] as const).map(async (name) => {
      const path = names[name];
      return { name, path, endings: [endings[`${name}/`]].flat(), real: await realFolder(root, path, names) };
    }),
  );
  const templates = { path: TEMPLATES, real: join(root, TEMPLATES), endings: [endings["templates/"]].flat() };
  const bounds = { inside: folders.map(({ real }) => real), named: foldersText(names) };
  const found = await Promise.all([
    ...folders.map(async ({ name, ...top }) => renamed(await filesBelow(top, bounds), top.path, name)),
    templatesBelow(templates, root),
    ...[CORE_SCRIPT, GATEWAY_FILE].map((path) => singleFile({ path, real: join(root, path) }, bounds)),
  ]);
  return readAll(found.flat());
}

const TEMPLATES = "templates";

/** Few projects have this folder. */
async function templatesBelow(top: Place & { endings: string[] }, root: string): Promise<Place[]> {
  if (!(await statsOf(stat, top))?.isDirectory()) return [];
  const real = await followed(top, { inside: [root], named: root });
  return filesBelow({ ...top, real }, { inside: [real], named: `${TEMPLATES}/` });
}

/** The file name endings of each folder. */
export type Endings = Record<keyof typeof SOURCE_FOLDERS, string | readonly string[]>;

/** Replaces the folder's own name by that in the bucket. */
const renamed = (places: Place[], from: string, to: string): Place[] =>
  places.map(({ path, real }) => ({ path: to + path.slice(from.length), real }));

/** The limit of open files may be a thousand, or fewer. */
const CONCURRENT_READS = 50;

async function readAll(places: Place[]): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const left = places.values();
  const readOn = async () => {
    for (const place of left) files.push(...(await readSource(place)));
  };
  await Promise.all(Array.from({ length: CONCURRENT_READS }, readOn));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A file or a folder: its path from the top, and its real path. */
interface Place {
  path: string;
  real: string;
}

/** The folders to which links may lead, and their name. */
interface Bounds {
  inside: string[];
  named: string;
}

async function realFolder(root: string, path: string, names: Folders): Promise<string> {
  const place = { path, real: join(root, path) };
  if (!(await statsOf(stat, place))?.isDirectory())
    throw new AppError(
      "local-failed",
      `there is no folder ${place.real}: run this where your ${foldersText(names)} are`,
    );
  return followed(place, { inside: [root], named: root });
}

/** More than anybody creates by hand: links into each other's folders would multiply endlessly. */
const MAX_LINKED_FOLDERS = 1_000;

async function filesBelow(top: Place & { endings: string[] }, bounds: Bounds): Promise<Place[]> {
  const files: Place[] = [];
  const folders = [{ path: top.path, real: top.real, above: [top.real] }];
  let linked = 0;
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    for (const entry of await readdir(folder.real, { withFileTypes: true })) {
      const place = { path: `${folder.path}/${entry.name}`, real: join(folder.real, entry.name) };
      const target = entry.isSymbolicLink() ? await statsOf(stat, place) : entry;
      const isFile = target?.isFile() && top.endings.some((ending) => entry.name.endsWith(ending));
      if (!isFile && !target?.isDirectory()) continue;
      const isLink = entry.isSymbolicLink();
      const real = isLink ? await followed(place, bounds) : place.real;
      if (isFile) files.push({ path: place.path, real });
      // A link to a folder that contains it would be followed endlessly.
      if (isFile || folder.above.includes(real)) continue;
      if (isLink) linked += 1;
      if (linked > MAX_LINKED_FOLDERS)
        throw invalidRelease(
          `${place.path}: more than ${MAX_LINKED_FOLDERS} folders are reached by symbolic links`,
        );
      folders.push({ path: place.path, real, above: [...folder.above, real] });
    }
  }
  return files;
}

async function singleFile(place: Place, bounds: Bounds): Promise<Place[]> {
  if (!(await statsOf(stat, place))?.isFile()) return [];
  const isLink = (await statsOf(lstat, place))?.isSymbolicLink();
  return [isLink ? { path: place.path, real: await followed(place, bounds) } : place];
}

/** Undefined if it does not exist: the target of a link may have been deleted, or the link itself. */
async function statsOf(read: (path: string) => Promise<Stats>, { real }: Place): Promise<Stats | undefined> {
  try {
    return await read(real);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined;
    throw thrown;
  }
}

/** The target of a symbolic link. Throws `release-invalid` if it is out of bounds. */
async function followed({ path, real: link }: Place, { inside, named }: Bounds): Promise<string> {
  const real = await realpath(link);
  if (inside.some((folder) => isBelow(real, folder))) return real;
  throw invalidRelease(
    `${path} is a symbolic link that leads out of ${named}, to ${real}, and what is there would be uploaded: ` +
      "put a copy in its place, or remove it",
  );
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

const invalidRelease = (message: string) => new AppError("release-invalid", message);

async function readSource({ path, real }: Place): Promise<SourceFile[]> {
  try {
    return [{ path, text: await readFile(real, "utf8") }];
  } catch (thrown) {
    // Removed since it was listed, as editors do when they save.
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}
