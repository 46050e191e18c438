import { realpathSync } from "node:fs";
import { isAbsolute, relative, sep } from "node:path";

/** Whether a file is in a folder, and not a link that leads out of it. */
export function isInFolder(folder: string, file: string): boolean {
  try {
    return isInside(realpathSync(folder), realpathSync(file));
  } catch {
    return false;
  }
}

/** Whether a file is code, by its name. */
export const isCode = (file: string) => CODE.test(file);

const CODE = /\.[cm]?[jt]sx?$/;

/** Whether a path is below a folder. */
export const isInside = (folder: string, file: string) =>
  !isAbsolute(relative(folder, file)) && seenFrom(folder, file).split("/")[0] !== "..";

/** Whether a file is part of an installed package. */
export const isOfPackage = (file: string) => file.split(/[\\/]/).includes("node_modules");

/** A path relative to a folder, with slashes. */
export function seenFrom(folder: string, file: string): string {
  const way = isAbsolute(file) ? relative(folder, file) : file;
  return way.split(sep).join("/");
}
