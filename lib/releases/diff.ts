import { lineHunks } from "../line-hunks.ts";
import { changesBetween, parts } from "./changes.ts";
import type { Release } from "./release.ts";

/** A definition or a script that differs, with the changed lines and their context. */
export interface PartDiff {
  kind: "API" | "script";
  name: string;
  what: "added" | "changed" | "removed";
  lines: string[];
}

/** The differences from one release to another, by name, definitions first. */
export function releaseDiff(before: Release, after: Release): PartDiff[] {
  const changes = changesBetween(before, after);
  const texts = { before: parts(before), after: parts(after) };
  return (["apis", "scripts"] as const).flatMap((kind) => {
    const { added, changed, removed } = changes[kind];
    return [...added, ...changed, ...removed].sort().map((name): PartDiff => {
      const [old = "", now = ""] = [texts.before[kind].get(name), texts.after[kind].get(name)];
      return {
        kind: kind === "apis" ? "API" : "script",
        name,
        what: added.includes(name) ? "added" : removed.includes(name) ? "removed" : "changed",
        lines: lineHunks(toLines(old), toLines(now)),
      };
    });
  });
}

const toLines = (text: string) => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));
