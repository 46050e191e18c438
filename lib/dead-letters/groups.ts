import type { LetterFacts } from "./letter.ts";

/** Letters that are here for the same reason: of one handler, with errors that differ in numbers, ids and texts alone. */
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
  /** An example: the newest one's. */
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

/** Of each group it names at most 20 APIs, types and releases. */
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

/** The most names of each kind: anybody who writes to the queue chooses how many there are. */
const NAMED = 20;

function note(names: string[], name: string | undefined): void {
  if (name !== undefined && names.length < NAMED && !names.includes(name)) names.push(name);
}

/** Chooses letters by a group's short name or an event's id; every letter where `target` is undefined. */
export function chooser(target: string | undefined): (facts: LetterFacts) => boolean {
  return ({ group, event_id }) => target === undefined || group === target || event_id === target;
}
