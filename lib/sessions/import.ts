import { AppError, type ErrorCode } from "../errors.ts";
import { createTurns } from "../in-turn.ts";
import type { Entry } from "./forms.ts";
import type { FoundRows, Take, Taken } from "./take.ts";

/** One session of a source, or the reason why it cannot be read. */
export interface Sourced {
  /** Its line, or its number in a list: from 1, growing. */
  place: number;
  /** Undefined for other data, such as another key of a Redis dump. */
  entry: Entry | AppError | undefined;
}

/** The counts of an import, in lines or keys. */
export interface ImportTally {
  read: number;
  added: number;
  /** Sessions that replaced older ones. */
  replaced: number;
  /** Sessions that the table already has. */
  unchanged: number;
  /** Sessions for which the table has another one that is not older. */
  kept: number;
  refused: number;
  passed: number;
}

/** An empty tally; the import changes it in place. */
export const emptyImport = (): ImportTally => ({
  read: 0,
  added: 0,
  replaced: 0,
  unchanged: 0,
  kept: 0,
  refused: 0,
  passed: 0,
});

/** An entry that was not imported, without its key, which may be a secret. */
export interface LeftOut {
  place: number;
  /** "kept": the table has another session that is not older. */
  code: ErrorCode | "kept";
  message: string;
}

/** `concurrency`: chunks of 25 sessions at the same time. */
export interface ImportDeps {
  take: Take;
  /** The message for a session that was not replaced. */
  whenKept: string;
  /** The name of its row. Throws a coded error for a key that cannot be the name of a row. */
  nameOf: (entry: Entry) => string;
  concurrency: number;
  onLeftOut: (leftOut: LeftOut) => void;
}

/** The end of an import. */
export interface ImportEnd {
  /** Whether the whole source was read. */
  complete: boolean;
  /** Everything up to this line is done; 0 for nothing. */
  doneTo: number;
  /** The error that ended it, if any. */
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
 * Imports the sessions of a source into the table. It is idempotent, so an interrupted import can be started again, or
 * resumed after the last line that was done.
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

/** Distributes chunks to several workers, and tracks up to which line everything is done. */
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
