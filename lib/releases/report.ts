import type { Changes } from "./changes.ts";
import type { Problem } from "./sources.ts";

/** The APIs of an upload that did not go live with the others. */
export interface HeldBack {
  /** The ids of APIs that keep their live state. */
  kept: string[];
  /** The ids of APIs that were never live, or their files if the id is unknown. */
  left_out: string[];
}

/** The result of an upload. */
export interface ReleaseReport {
  version: string;
  /**
   * `live`: this call made it live; `partly`: the same, except for the APIs in `held`; `unchanged`: nothing to do;
   * `refused`: the previous release stays live.
   */
  result: "live" | "partly" | "unchanged" | "refused";
  apis: number;
  scripts: number;
  /** The errors that keep it, or a part of it, from going live. */
  errors: Problem[];
  /** Only for a partly live release. */
  held?: HeldBack;
  warnings: Problem[];
  /** Compared with the release that was live; missing if nothing changed, or if the old one cannot be read. */
  changes?: Changes;
}

/** A stored report, with the state of its release. */
export interface HistoryEntry {
  version: string;
  result: "live" | "partly" | "refused";
  /** The version of the upload, if it differs from the release's because only a part is live. */
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

/** Only the first of many problems, since the report must fit into one item and one response. */
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
