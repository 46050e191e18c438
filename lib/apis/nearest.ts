/** The number of letters that a search may still compare. All searches of an upload share one allowance. */
export interface Allowance {
  steps: number;
}

/** Finds the candidate that the text may have meant; undefined if none is similar, or the allowance is used up. */
export type Nearest = (written: string, allowance?: Allowance) => string | undefined;

interface Candidate {
  plain: string;
  text: string;
}

/** The candidates are sorted by length once, since only those of nearly the same length can be similar. */
export function createNearest(candidates: Iterable<string>): Nearest {
  const all = Array.from(candidates, (text) => ({ plain: plain(text), text }));
  const byLength = Map.groupBy(all, (candidate) => candidate.plain.length);
  return (written, allowance = { steps: Number.POSITIVE_INFINITY }) => {
    const given = plain(written);
    let reach = Math.max(1, Math.floor(given.length / 4));
    let best: Candidate | undefined;
    if (allowance.steps <= 0) return undefined;
    for (const length of lengthsAround(given.length, reach)) {
      if (best && Math.abs(length - given.length) >= reach) break;
      for (const candidate of byLength.get(length) ?? []) {
        const steps = distance(given, candidate.plain, best ? reach - 1 : reach, allowance);
        if (allowance.steps <= 0) return undefined;
        if (steps === undefined) continue;
        best = candidate;
        reach = steps;
      }
    }
    return best?.text;
  };
}

/** Starts with the length itself: similar candidates most likely have the same number of letters. */
function lengthsAround(length: number, reach: number): number[] {
  const steps = Array.from({ length: reach }, (_, index) => index + 1);
  return [length, ...steps.flatMap((step) => [length - step, length + step])];
}

/** The most frequent mistakes are in upper and lower case, and in the two encodings of an accent. */
const plain = (text: string) => text.normalize("NFC").toLowerCase();

const FAR = Number.POSITIVE_INFINITY;

/**
 * The Levenshtein distance: the number of letters to insert, delete or change; undefined if more than `most`. Only the
 * cells that can be part of a short enough path are computed, plus one next to them that is too far.
 */
function distance(a: string, b: string, most: number, allowance: Allowance): number | undefined {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  let next = [...row];
  for (let i = 1; i <= a.length; i += 1) {
    const from = Math.max(1, i - most);
    const to = Math.min(b.length, i + most);
    next[from - 1] = from === 1 ? i : FAR;
    let least = FAR;
    for (let j = from; j <= to; j += 1) {
      const change = (row[j - 1] ?? FAR) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const cell = Math.min(change, (row[j] ?? FAR) + 1, (next[j - 1] ?? FAR) + 1);
      next[j] = cell;
      least = Math.min(least, cell);
    }
    if (to < b.length) next[to + 1] = FAR;
    allowance.steps -= Math.max(1, to - from + 1);
    if (Math.min(least, next[from - 1] ?? FAR) > most || allowance.steps <= 0) return undefined;
    [row, next] = [next, row];
  }
  const steps = row[b.length] ?? FAR;
  return steps <= most ? steps : undefined;
}
