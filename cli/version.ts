import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

interface OwnPackage {
  version: string;
  /** What it needs only for some commands, and leaves to the user to install. */
  peerDependencies: Record<"esbuild" | "osls", string>;
  /** What it was built and tried with. */
  devDependencies: Record<string, string>;
}

/** What the package that this file belongs to says of itself, wherever in it the file is. */
export function ownPackage(): OwnPackage {
  const file = findPackageJSON(import.meta.url);
  if (file === undefined) throw new Error("gatehook's package.json is not there: install it again");
  return JSON.parse(readFileSync(file, "utf8")) as OwnPackage;
}
