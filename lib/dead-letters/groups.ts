import type { LetterFacts } from "./letter.ts";

/** Letters with the same reason: the same handler, and errors that differ only in numbers, ids and texts. */
export interface LetterGroup {
  group: string;
  reason: string;
  handler?: string;
  /** The pattern of its errors. */
  error: string;
  place: string;
  count: number;
  oldest: string;
  newest: string;
  /** The id of the newest event, as an example. */
  event_id: string;
  api_ids: string[];
  types: string[];
  releases: string[];
}

/** Counts letters by group, in memory. */
export interface Groups {
  add(facts: LetterFacts): void;
  /** The largest first. */
  list(): LetterGroup[];
}

/** Each group lists at most 20 APIs, types and releases. */
export function createGroups(): Groups {
  const groups = new Map<string, LetterGroup>();

  return {
    add(facts) {
      const { group, event_id, sent_at, api_id, type, release } = facts;
      const known = groups.get(group) ?? emptyGroup(facts);
      groups.set(group, known);
      known.count += 1;
      if (sent_at < known.oldest) known.oldest = sent_at;
      if (sent_at > known.newest) Object.assign(known, { newest: sent_at, event_id });
      note(known.api_ids, api_id);
      note(known.types, type);
      note(known.releases, release);
    },
    list: () => [...groups.values()].sort((a, b) => b.count - a.count || (a.group < b.group ? -1 : 1)),
  };
}

function emptyGroup({ group, reason, handler, pattern, place, sent_at, event_id }: LetterFacts): LetterGroup {
  return {
    group,
    reason,
    ...(handler !== undefined && { handler }),
    error: pattern,
    place,
    count: 0,
    oldest: sent_at,
    newest: sent_at,
    event_id,
    api_ids: [],
    types: [],
    releases: [],
  };
}

/** The maximum number of names of each kind: anybody who writes to the queue determines the number of names. */
const NAMED = 20;

function note(names: string[], name: string | undefined): void {
  if (name !== undefined && names.length < NAMED && !names.includes(name)) names.push(name);
}

/** Selects letters by a group's short name or an event's id; all letters if `target` is undefined. */
export function chooser(target: string | undefined): (facts: LetterFacts) => boolean {
  return ({ group, event_id }) => target === undefined || group === target || event_id === target;
}
