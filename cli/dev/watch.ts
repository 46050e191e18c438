import { realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import { errorText } from "../../lib/errors.ts";
import { CORE_SCRIPT, GATEWAY_FILE } from "../../lib/releases/sources.ts";
import type { Folders } from "../../lib/settings/project.ts";

/** Hints that source files of releases were saved, removed or moved. The receiver of a hint reads the folder. */
export interface SourceWatch {
  /** The number of hints so far. */
  readonly hints: number;
  /**
   * Also watches these files, which are bundled in scripts and may be in any folder, instead of those of the last call.
   */
  also(files: string[]): void;
  /** Restarts the watch after a missed hint, since its knowledge of the folder is out of date. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** The callbacks of a watch. */
export interface WatchEvents {
  /** Called once for changes that arrive together. */
  onChange: () => void;
  /** The watch continues, but misses some of the hints. */
  onError: (error: Error) => void;
}

/** Editors save in several steps, and a checkout changes many files: this long after the last change ... */
const TOGETHER_MS = 50;
/** ... and not later than this after the first. */
const LATEST_MS = 150;

/** Resolves when every later change will be reported. A folder that is a link within the project is followed. */
export async function watchSources(
  folder: string,
  names: Folders,
  { onChange, onError }: WatchEvents,
): Promise<SourceWatch> {
  const root = await realpath(folder);
  const folders = [...Object.values(names), "templates"].map((name) => join(root, name));
  const files = [CORE_SCRIPT, GATEWAY_FILE].map((name) => join(root, name));
  const bursts = createBursts(onChange);
  let hints = 0;

  /** The targets of linked folders; files outside the project are not read. */
  async function targets(): Promise<string[]> {
    const real = await Promise.all(folders.map((path) => realpath(path).catch(() => path)));
    return real.filter((path) => !folders.includes(path) && path.startsWith(root + sep));
  }

  async function open(): Promise<FSWatcher> {
    const watcher = watch([...folders, ...files, ...(await targets())], {
      ignoreInitial: true,
      // A link among the handlers may lead to the whole disk; it is rejected when the folder is read.
      followSymlinks: false,
      // Unreadable files are reported by the code that reads the folder.
      ignorePermissionErrors: true,
      atomic: false,
      ignored: (path, stats) =>
        stats?.isFile() === true && !/\.(?:[cm]?[jt]sx?|json|txt|xml|html|tmpl)$/.test(path),
    });
    watcher.add([...beside]);
    watcher.on("all", (_, path) => {
      hints += 1;
      bursts.add();
      if (folders.includes(path)) void targets().then((paths) => !watcher.closed && watcher.add(paths));
    });
    watcher.on("error", (thrown) => onError(thrown instanceof Error ? thrown : new Error(errorText(thrown))));
    await new Promise<void>((resolve) => watcher.once("ready", resolve));
    return watcher;
  }

  /** For a package, its package.json, which each installation writes, instead of its many files. */
  const markOf = (file: string) =>
    file.replace(/^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/].*$/s, `$1${sep}package.json`);

  let beside = new Set<string>();
  let watcher = await open();
  let closed = false;
  return {
    get hints() {
      return hints;
    },
    also(files) {
      const isBelow = (file: string) => folders.some((path) => file.startsWith(path + sep));
      const wanted = new Set(files.filter((file) => !isBelow(file)).map(markOf));
      const isKnown = wanted.isSubsetOf(beside) && beside.isSubsetOf(wanted);
      if (closed || isKnown) return;
      watcher.unwatch([...beside.difference(wanted)]);
      watcher.add([...wanted.difference(beside)]);
      beside = wanted;
    },
    async reopen() {
      const [old, fresh] = [watcher, await open()];
      watcher = fresh;
      await (closed ? fresh : old).close();
    },
    async close() {
      closed = true;
      bursts.close();
      await watcher.close();
    },
  };
}

/** Combines hints that arrive together into one call. */
function createBursts(call: () => void) {
  let timer: NodeJS.Timeout | undefined;
  let latest = 0;
  return {
    add() {
      const now = performance.now();
      if (timer === undefined) latest = now + LATEST_MS;
      clearTimeout(timer);
      timer = setTimeout(
        () => {
          timer = undefined;
          call();
        },
        Math.max(0, Math.min(TOGETHER_MS, latest - now)),
      );
    },
    close: () => clearTimeout(timer),
  };
}
