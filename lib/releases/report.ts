import type { Changes } from "./changes.ts";
import type { Problem } from "./sources.ts";

/** Which APIs of an upload did not go live with the rest of it. */
export interface HeldBack {
  /** The ids of those that stay as they were. */
  kept: string[];
  /** The ids of those that were never live, or their files where no id can be told. */
  left_out: string[];
}

/** What became of an upload. */
export interface ReleaseReport {
  version: string;
  /**
   * `live`: this call flipped to it; `partly`: likewise, but for the APIs in `held`; `unchanged`: nothing to flip;
   * `refused`: the last good release goes on.
   */
  result: "live" | "partly" | "unchanged" | "refused";
  apis: number;
  scripts: number;
  /** What keeps it, or a part of it, from going live. */
  errors: Problem[];
  /** Only for a release that is live in part. */
  held?: HeldBack;
  warnings: Problem[];
  /** Against the release that was live; absent when nothing changed, or the old one cannot be read. */
  changes?: Changes;
}

/** A report as it is kept, beside what happened to its release. */
export interface HistoryEntry {
  version: string;
  result: "live" | "partly" | "refused";
  /** The version of the upload, where that is not the release's own: a part of it is live. */
  upload?: string;
  built_at: string;
  /** When it last went live; releases that never did cannot be rolled back to. */
  live_at?: string;
  apis: number;
  scripts: number;
  error_count: number;
  warning_count: number;
  errors: Problem[];
  warnings: Problem[];
  held?: HeldBack;
  changes?: Changes;
}

const MAX_SHOWN = 50;
const MAX_CHARS = 1_000;

/** Of many problems the first ones: the report must fit into one item, and into one answer. */
export function firstOf(problems: Problem[]): Problem[] {
  const shown = problems.slice(0, MAX_SHOWN).map(shortened);
  const next = problems[MAX_SHOWN];
  if (!next) return shown;
  return [...shown, { file: next.file, message: `and ${problems.length - MAX_SHOWN} more; fix these first` }];
}

const shortened = ({ apis, ...problem }: Problem): Problem => ({
  ...problem,
  message: cut(problem.message),
  ...(apis && { apis: firstNames(apis) }),
});

/** At most 50 names of each list, and how many more there are. */
export const firstHeld = ({ kept, left_out }: HeldBack): HeldBack => ({
  kept: firstNames(kept),
  left_out: firstNames(left_out),
});

const firstNames = (names: string[]) =>
  names.length > MAX_SHOWN ? [...names.slice(0, MAX_SHOWN), `and ${names.length - MAX_SHOWN} more`] : names;

/** At most 50 names of each list, and how many more there are. */
export function firstChanges(changes: Changes): Changes {
  const { apis, scripts } = changes;
  const all = ({ added, changed, removed }: Changes["apis"]) => ({
    added: firstNames(added),
    changed: firstNames(changed),
    removed: firstNames(removed),
  });
  return { apis: all(apis), scripts: all(scripts) };
}

const cut = (text: string) => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text);
