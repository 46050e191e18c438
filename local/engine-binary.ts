import { accessSync, constants, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { AppError } from "../lib/errors.ts";

/** The values that determine where dynoxide is searched. */
export interface Machine {
  /** As `process.platform` and `process.arch`. */
  platform: string;
  arch: string;
  /** The environment's PATH. */
  path: string;
  /** Files or folders whose node_modules may contain the package. */
  from: (string | URL)[];
}

const thisMachine = (): Machine => ({
  platform: process.platform,
  arch: process.arch,
  path: process.env.PATH ?? "",
  // `npx` installs gatehook in another folder than the project that installed the package.
  from: [import.meta.url, join(process.cwd(), "package.json")],
});

/** The platforms for which dynoxide publishes a package. */
const PACKAGED = new Set(["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-x64"]);

/** The binary of the platform's npm package, else the one on the PATH. Throws `local-failed` with ways to get it. */
export function findBinary(machine = thisMachine()): string {
  const binary = inPackage(machine) ?? onPath(machine);
  if (!binary) throw new AppError("local-failed", waysToGetOne(machine));
  return binary;
}

const fileName = ({ platform }: Machine) => (platform === "win32" ? "dynoxide.exe" : "dynoxide");
const packageName = ({ platform, arch }: Machine) => `@dynoxide/${platform}-${arch}`;

function inPackage(machine: Machine): string | undefined {
  for (const place of machine.from) {
    try {
      return createRequire(place).resolve(`${packageName(machine)}/${fileName(machine)}`);
    } catch {}
  }
  return undefined;
}

function onPath(machine: Machine): string | undefined {
  const folders = machine.path.split(machine.platform === "win32" ? ";" : ":");
  // An empty entry means the current folder, from which nothing must be started.
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, fileName(machine)))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function waysToGetOne(machine: Machine): string {
  const { platform, arch } = machine;
  const isPackaged = PACKAGED.has(`${platform}-${arch}`);
  const places = isPackaged ? `${packageName(machine)} is not installed, and ` : "";
  return [
    `there is no DynamoDB engine for ${platform}-${arch} here: ${places}dynoxide is not on the PATH. One of these helps:`,
    ...(isPackaged ? [`npm install --save-optional ${packageName(machine)}`] : []),
    ...(["darwin", "linux"].includes(platform) ? ["brew install nubo-db/tap/dynoxide"] : []),
    "cargo install dynoxide-rs (about 6 minutes)",
    "pip install ministack, start it by BIND_HOST=127.0.0.1 ministack, and set AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:4566",
  ].join("\n");
}
