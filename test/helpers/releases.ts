import { AppError } from "../../lib/errors.ts";
import { type Release, versionOf } from "../../lib/releases/release.ts";
import type { HistoryEntry } from "../../lib/releases/report.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import type { Pointer, ReleaseStore } from "../../lib/releases/store.ts";

type MemoryStore = Pick<
  ReleaseStore,
  "readSources" | "read" | "write" | "pointer" | "record" | "entry" | "history"
>;

/** A bucket, a pointer and a history in memory; `flips` are the moves from one live release to another. */
export function createMemoryReleases(files: SourceFile[] = []) {
  const bucket = {
    files,
    releases: new Map<string, string>(),
    pointer: { version: undefined, built: undefined, refused: false, revision: 0 } as Pointer,
    entries: new Map<string, HistoryEntry>(),
  };
  const flips: [string | undefined, string][] = [];
  const store: MemoryStore = {
    readSources: async () => bucket.files,
    async read(version) {
      const text = bucket.releases.get(version);
      if (text === undefined) throw new AppError("release-missing", `there is no ${version}`);
      if (versionOf(text) !== version) throw new AppError("release-missing", `${version} is damaged`);
      return JSON.parse(text) as Release;
    },
    write: async (version, text) => void bucket.releases.set(version, text),
    pointer: async () => ({ ...bucket.pointer }),
    async record(from, to, entry) {
      const { version, revision } = bucket.pointer;
      if (revision !== from.revision) return false;
      bucket.pointer = { ...to, revision: revision + 1 };
      const live_at = bucket.entries.get(entry.version)?.live_at;
      if (to.built === (entry.upload ?? entry.version)) bucket.entries.delete(entry.version);
      bucket.entries.set(entry.version, { ...(live_at && { live_at }), ...entry });
      if (to.version && to.version !== version) flips.push([version, to.version]);
      return true;
    },
    entry: async (version) => bucket.entries.get(version),
    history: async () => [...bucket.entries.values()].reverse(),
  };
  return { bucket, flips, store };
}
