// A `gatehook dev` for tests of its page.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { FORMAT } from "../../lib/history/records.ts";
import { EMBEDDED } from "./cli.ts";
import { type Dev, definition, handler, newFolder, startDevWith } from "./dev.ts";

const linesOf = (attempts: AttemptRecord[]) =>
  attempts.map((attempt) => `${JSON.stringify({ history: FORMAT, attempt })}\n`).join("");

/** A folder in which a `dev` has recorded these events. */
export async function folderWith(attempts: AttemptRecord[], files: Record<string, string>): Promise<string> {
  const folder = await newFolder(files);
  const history = join(folder, ".gatehook/history");
  mkdirSync(history, { recursive: true });
  writeFileSync(join(history, "00000001.jsonl"), linesOf(attempts));
  return folder;
}

export const FILES = {
  "apis/shop.json": definition("shop", { QuotaExceeded: "say", HostDown: "fails" }),
  "handlers/say.js": handler("say", "log(event.Meta.Key);"),
  "handlers/fails.js": handler("fails", "throw new Error('no');"),
};

export interface PageDev {
  dev: Dev;
  url: string;
  /** The link with the token, to another address of the page. */
  link: (path: string) => string;
}

export async function startWith(folder: string, ...args: string[]): Promise<PageDev> {
  const dev = startDevWith(EMBEDDED, folder, "--no-demo", "--set", "MAX_ATTEMPTS=1", ...args);
  const [, url = ""] = await dev.says(/ready at (http:\S+)/);
  const [, link = ""] = await dev.says(/in a browser: (\S+)/);
  return { dev, url, link: (path) => link.replace("/console/events/last", path) };
}
