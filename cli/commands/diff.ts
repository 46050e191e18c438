import { releaseDiff } from "../../lib/releases/diff.ts";
import type { ReleaseStore } from "../../lib/releases/store.ts";
import { openReleaseStore } from "../stage/release-store.ts";
import { print, printText } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** `gatehook diff`: what changes from one release to another; `live` names the one in use. */
export async function diff(from: string, to: string): Promise<void> {
  const store = openReleaseStore();
  const [before, after] = await Promise.all([from, to].map((name) => read(store, name)));
  if (!before || !after) return;
  const lines = releaseDiff(before, after).flatMap(({ kind, name, what, lines }) => [
    `${what} ${kind} ${name}`,
    ...lines,
  ]);
  if (lines.length > 0) print(...lines);
  else printText(`${from} and ${to} are the same`);
}

async function read(store: ReleaseStore, name: string) {
  const version = name === "live" ? await store.liveVersion() : name;
  if (!version) throw new UsageError("no release is live yet");
  return store.read(version);
}
