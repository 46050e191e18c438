/** The candidate that somebody who wrote this may have meant; undefined when none is near. */
export function nearest(written: string, candidates: Iterable<string>): string | undefined {
  const given = plain(written);
  const reach = Math.max(1, Math.floor(given.length / 4));
  let best: string | undefined;
  let least = reach + 1;
  for (const candidate of candidates) {
    const other = plain(candidate);
    if (Math.abs(other.length - given.length) >= least) continue;
    const steps = distance(given, other);
    if (steps < least) {
      least = steps;
      best = candidate;
    }
  }
  return best;
}

/** Case and the two ways to write an accent are what is confused most. */
const plain = (text: string) => text.normalize("NFC").toLowerCase();

/** Levenshtein's: how many letters must be put in, left out or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
