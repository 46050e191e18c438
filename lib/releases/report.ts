import type { Changes } from "./changes.ts";
import type { Problem } from "./sources.ts";

/** What became of an upload. */
export interface ReleaseReport {
  version: string;
  /** `live`: this call flipped to it; `unchanged`: nothing to flip; `refused`: the last good release goes on. */
  result: "live" | "unchanged" | "refused";
  apis: number;
  scripts: number;
  /** What keeps it from going live; empty unless it was refused. */
  errors: Problem[];
  warnings: Problem[];
  /** Against the release that was live; not there when nothing changed, or the old one cannot be read. */
  changes?: Changes;
}

/** A report as it is kept, beside what happened to its release. */
export interface HistoryEntry {
  version: string;
  result: "live" | "refused";
  built_at: string;
  /** When it last went live; releases that never did cannot be rolled back to. */
  live_at?: string;
  apis: number;
  scripts: number;
  error_count: number;
  warning_count: number;
  errors: Problem[];
  warnings: Problem[];
  changes?: Changes;
}

const MAX_SHOWN = 50;
const MAX_CHARS = 1_000;

/** Of many problems the first ones: the report must fit into one item, and into one answer. */
export function firstOf(problems: Problem[]): Problem[] {
  const shown = problems
    .slice(0, MAX_SHOWN)
    .map((problem) => ({ ...problem, message: cut(problem.message) }));
  const next = problems[MAX_SHOWN];
  if (!next) return shown;
  return [...shown, { file: next.file, message: `and ${problems.length - MAX_SHOWN} more; fix these first` }];
}

export function firstChanges(changes: Changes): Changes {
  const names = (list: string[]) =>
    list.length > MAX_SHOWN ? [...list.slice(0, MAX_SHOWN), `and ${list.length - MAX_SHOWN} more`] : list;
  const { apis, scripts } = changes;
  const all = ({ added, changed, removed }: Changes["apis"]) => ({
    added: names(added),
    changed: names(changed),
    removed: names(removed),
  });
  return { apis: all(apis), scripts: all(scripts) };
}

const cut = (text: string) => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text);
