import { type Changes, changesBetween, parts } from "../lib/releases/changes.ts";
import type { ReleaseStore } from "../lib/releases/store.ts";
import { lineHunks } from "./line-hunks.ts";
import { print, printText } from "./print.ts";
import { openReleaseStore } from "./release-store.ts";
import { UsageError } from "./usage.ts";

/** `gatehook diff`: what changes from one release to another; `live` names the one in use. */
export async function diff(from: string, to: string): Promise<void> {
  const store = openReleaseStore();
  const [before, after] = await Promise.all([from, to].map((name) => read(store, name)));
  if (!before || !after) return;
  const changes = changesBetween(before, after);
  const texts = { before: parts(before), after: parts(after) };
  const lines = (["apis", "scripts"] as const).flatMap((kind) => {
    const { added, changed, removed }: Changes["apis"] = changes[kind];
    return [...added, ...changed, ...removed].sort().flatMap((name) => {
      const [old = "", now = ""] = [texts.before[kind].get(name), texts.after[kind].get(name)];
      const what = added.includes(name) ? "added" : removed.includes(name) ? "removed" : "changed";
      return [
        `${what} ${kind === "apis" ? "API" : "script"} ${name}`,
        ...lineHunks(toLines(old), toLines(now)),
      ];
    });
  });
  if (lines.length > 0) print(...lines);
  else printText(`${from} and ${to} are the same`);
}

async function read(store: ReleaseStore, name: string) {
  const version = name === "live" ? await store.liveVersion() : name;
  if (!version) throw new UsageError("no release is live yet");
  return store.read(version);
}

const toLines = (text: string) => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));
