import { releaseDiff } from "../../lib/releases/diff.ts";
import { namedRelease, openReleaseStore } from "../stage/release-store.ts";
import { print, printText } from "../terminal/print.ts";

/** `gatehook diff`: what changes from one release to another; `live` names the one in use. */
export async function diff(from: string, to: string): Promise<void> {
  const store = openReleaseStore();
  const before = await namedRelease(store, from);
  const after = await namedRelease(store, to);
  const lines = releaseDiff(before.release, after.release).flatMap(({ kind, name, what, lines }) => [
    `${what} ${kind} ${name}`,
    ...lines,
  ]);
  if (lines.length > 0) print(...lines);
  else printText(`${from} and ${to} are the same`);
}
