import { createReadStream } from "node:fs";
import { canaryOf } from "../functions/gateway.ts";
import { AppError, errorText } from "../lib/errors.ts";
import type { Gateway } from "../lib/gateway/client.ts";
import { createKeysSource, listsHashes } from "../lib/gateway/keys-source.ts";
import type { RateLimit } from "../lib/rate-limit.ts";
import { LINE_BYTES, readEntry } from "../lib/sessions/forms.ts";
import type { Sourced } from "../lib/sessions/import.ts";
import { type Line, readLines } from "../lib/sessions/line-reader.ts";
import { UsageError } from "./terminal/usage.ts";

/** The maximum length of a line: raw keys are not longer, and hashes are shorter. */
const KEY_LINE_BYTES = 16 * 1024;
/** Requests to a gateway at the same time. */
const CONCURRENCY = 16;

/** The sessions of a file, `-` for standard input, from this line on. */
export async function* fileSource(file: string, fromLine: number): AsyncGenerator<Sourced, void> {
  const now = Math.floor(Date.now() / 1000);
  for await (const line of linesOf(file, LINE_BYTES))
    if (line.number >= fromLine) yield { place: line.number, entry: entryIn(line, now) };
}

function entryIn(line: Line, now: number): Sourced["entry"] {
  if (line.problem !== undefined) return new AppError("json-invalid", line.problem);
  try {
    return readEntry(line, now);
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown;
    throw thrown;
  }
}

async function* linesOf(file: string, maxBytes: number): AsyncGenerator<Line, void> {
  try {
    yield* readLines(file === "-" ? process.stdin : createReadStream(file), maxBytes);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw new UsageError(`the file ${file} cannot be read: ${errorText(cause)}`, { cause });
  }
}

/** The options for reading the sessions of a gateway. The caller closes `gateway`. */
export interface GatewaySourceOptions {
  gateway: Gateway;
  /** The table's hash function of keys, if the gateway is queried by hashes. */
  hashed: string;
  /** A file with raw keys, one on each line; without it, the gateway's own list is used. */
  keys: string | undefined;
  fromLine: number;
  pace: RateLimit;
}

/** The sessions of a gateway, key by key. */
export async function gatewaySource(options: GatewaySourceOptions): Promise<AsyncIterable<Sourced>> {
  const { gateway, hashed, keys, fromLine, pace } = options;
  const canary = canaryOf(process.env);
  const source = createKeysSource({
    gateway,
    hashed,
    isWanted: (key) => !canary.isNamed(key),
    pace,
    concurrency: CONCURRENCY,
  });
  return source(keys === undefined ? await listed(gateway, hashed, fromLine) : keysIn(keys, fromLine));
}

async function* keysIn(file: string, fromLine: number): AsyncGenerator<{ place: number; key: string }, void> {
  // A line that is not a key is not sent to the gateway.
  for await (const { number, text } of linesOf(file, KEY_LINE_BYTES))
    if (number >= fromLine) yield { place: number, key: (text ?? "").replace(/\r$/, "") };
}

async function listed(gateway: Gateway, hashed: string, fromLine: number) {
  const keys = (await gateway.list()).sort();
  const [first] = keys;
  if (hashed === "" && first !== undefined && (await listsHashes(gateway, first)))
    throw new UsageError(
      "the gateway lists hashes, since its hash_keys is on: give it the raw keys with --keys FILE",
    );
  return (async function* () {
    for (const [at, key] of keys.entries()) if (at + 1 >= fromLine) yield { place: at + 1, key };
  })();
}
