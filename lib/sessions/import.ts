import { AppError, type ErrorCode } from "../errors.ts";
import { createTurns } from "../in-turn.ts";
import type { Entry } from "./forms.ts";
import type { FoundRows, Take, Taken } from "./take.ts";

/** One session of a source, or why it cannot be read. */
export interface Sourced {
  /** Its line, or its number in a list: from 1, growing. */
  place: number;
  /** Undefined for what is not a session and need not be one, such as another key of a Redis dump. */
  entry: Entry | AppError | undefined;
}

/** What an import has come to, in lines or keys. */
export interface ImportTally {
  read: number;
  added: number;
  /** In place of older ones. */
  replaced: number;
  /** The table has the same. */
  unchanged: number;
  /** The table has another, which is not older. */
  kept: number;
  refused: number;
  passed: number;
}

/** A tally to begin with; the import changes it in place. */
export const emptyImport = (): ImportTally => ({
  read: 0,
  added: 0,
  replaced: 0,
  unchanged: 0,
  kept: 0,
  refused: 0,
  passed: 0,
});

/** What was not put into the table, without its key, which may be a secret. */
export interface LeftOut {
  place: number;
  /** "kept": the table has another, which is not older. */
  code: ErrorCode | "kept";
  message: string;
}

/** `concurrency`: chunks of 25 sessions at the same time. */
export interface ImportDeps {
  take: Take;
  /** What to say of a session that was left as it is where it goes. */
  whenKept: string;
  /** The name of its row. Throws a coded error for what no row can be named by. */
  nameOf: (entry: Entry) => string;
  concurrency: number;
  onLeftOut: (leftOut: LeftOut) => void;
}

/** How an import ended. */
export interface ImportEnd {
  /** Whether the source is through. */
  complete: boolean;
  /** Everything up to this place is done; 0 for nothing. */
  doneTo: number;
  /** What ended it, unless it was told to. */
  error?: unknown;
}

/** Sessions whose rows are read by one request. */
const CHUNK = 25;

interface Named {
  place: number;
  entry: Entry;
  name: string;
}

/**
 * Puts the sessions of a source into the table. A second time it changes nothing, so one that was broken off may simply
 * start anew, or after the place to which everything was done.
 */
export function createImport({ take, whenKept, nameOf, concurrency, onLeftOut }: ImportDeps) {
  return async (source: AsyncIterable<Sourced>, tally: ImportTally): Promise<ImportEnd> => {
    const chunks = inOrder(chunksOf(source));

    function leaveOut(place: number, { code, message }: AppError): void {
      tally.refused += 1;
      onLeftOut({ place, code, message });
    }

    function named({ place, entry }: Sourced): Named | undefined {
      if (entry === undefined) {
        tally.passed += 1;
        return undefined;
      }
      try {
        if (entry instanceof AppError) throw entry;
        return { place, entry, name: nameOf(entry) };
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        leaveOut(place, thrown);
        return undefined;
      }
    }

    async function importOne({ place, entry, name }: Named, found: FoundRows): Promise<Taken> {
      try {
        const taken = await take.take(entry, name, found);
        if (taken !== "stopped") tally[taken] += 1;
        if (taken === "kept") onLeftOut({ place, code: "kept", message: whenKept });
        return taken;
      } catch (thrown) {
        if (!(thrown instanceof AppError) || thrown.code === "dependency-failed") throw thrown;
        leaveOut(place, thrown);
        return "kept";
      }
    }

    async function importChunk(chunk: Sourced[]): Promise<boolean> {
      const some = chunk.flatMap((sourced) => named(sourced) ?? []);
      const found = await take.read([...new Set(some.map(({ name }) => name))]);
      for (const one of some) if ((await importOne(one, found)) === "stopped") return false;
      tally.read += chunk.length;
      return true;
    }

    async function work(): Promise<void> {
      for (let chunk = await chunks.next(); chunk; chunk = await chunks.next()) {
        if (!(await importChunk(chunk))) return chunks.stop();
        chunks.done(chunk);
      }
    }

    const failed = (thrown: unknown) => chunks.stop(thrown);
    await Promise.all(Array.from({ length: concurrency }, () => work().catch(failed)));
    return chunks.end();
  };
}

/** Hands out chunks to several workers, one after the other, and knows up to which place all is done. */
function inOrder(chunks: AsyncGenerator<Sourced[], void>) {
  const underWay = new Set<Sourced[]>();
  const inTurn = createTurns();
  let isThrough = false;
  let isStopped = false;
  let error: unknown;
  let reached = 0;

  async function take(): Promise<Sourced[] | undefined> {
    if (isThrough || isStopped) return undefined;
    const { value, done } = await chunks.next();
    isThrough = done === true;
    if (value) underWay.add(value);
    return value ?? undefined;
  }

  return {
    next: () => inTurn(take),
    done(chunk: Sourced[]): void {
      underWay.delete(chunk);
      reached = Math.max(reached, placeOf(chunk.at(-1)));
    },
    stop(thrown?: unknown): void {
      isStopped = true;
      error ??= thrown;
    },
    async end(): Promise<ImportEnd> {
      await chunks.return();
      const open = [...underWay].map(([first]) => placeOf(first) - 1);
      const end = { complete: isThrough && !isStopped, doneTo: Math.min(reached, ...open) };
      return error === undefined ? end : { ...end, error };
    },
  };
}

const placeOf = (sourced: Sourced | undefined) => sourced?.place ?? 0;

async function* chunksOf(source: AsyncIterable<Sourced>): AsyncGenerator<Sourced[], void> {
  let chunk: Sourced[] = [];
  for await (const sourced of source) {
    chunk.push(sourced);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
