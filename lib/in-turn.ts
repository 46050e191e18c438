/**
 * Runs each piece of work after all earlier ones, whether these succeeded or not. Resolves or rejects as the work does.
 */
export type InTurn = <T>(work: () => T | Promise<T>) => Promise<T>;

/** In place of `p-limit` with a limit of 1, which would add a package and its queue for these five lines. */
export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
