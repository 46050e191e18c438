/** Runs what it is given after all that it was given before, whether that succeeded or not; passes on how it ended. */
export type InTurn = <T>(work: () => T | Promise<T>) => Promise<T>;

/** `p-limit` with a limit of 1 is a package and its queue for these five lines. */
export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
