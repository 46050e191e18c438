import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { isSource } from "../lib/releases/sources.ts";

/** Calls back when a file that releases are made of was saved or removed; one call for what comes together. */
export interface SourceWatch {
  close(): void;
}

/** Editors save in several steps, and a checkout changes many files. */
const TOGETHER_MS = 50;

export function watchSources(folder: string, onChange: () => void): SourceWatch {
  let timer: NodeJS.Timeout | undefined;
  const touched = (path: string) => {
    if (!isSource(path)) return;
    clearTimeout(timer);
    timer = setTimeout(onChange, TOGETHER_MS);
  };
  const below = (name: string): FSWatcher =>
    watch(join(folder, name), { recursive: true }, (_, file) =>
      touched([name, ...(file ?? "").split(/[\\/]/)].join("/")),
    );
  const watchers = [below("apis"), below("handlers"), watch(folder, (_, file) => touched(file ?? ""))];
  return {
    close() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
