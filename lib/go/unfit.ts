import { AppError } from "../errors.ts";
import { isMembers, isNumber, type JsonValue } from "./json.ts";

/** Turns a decoder's error into `json-invalid`, which names the member and its kind, never its value. */
export function orInvalid<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Unfit) throw decodeError(error.path, error.problem);
    if (error instanceof SyntaxError) throw decodeError("", `not JSON${position(error)}`);
    if (error instanceof RangeError) throw decodeError("", "nested too deeply");
    throw error;
  }
}

/** A value that does not fit; the decoders of its containers add its path. */
export class Unfit extends Error {
  path = "";
  readonly problem: string;

  constructor(problem: string) {
    super(problem);
    this.problem = problem;
  }
}

/** The same error, with `place` added to its path. */
export function within(error: unknown, place: string): unknown {
  if (!(error instanceof Unfit) || place === "") return error;
  const { path } = error;
  error.path = path === "" || path.startsWith("[") ? place + path : `${place}.${path}`;
  return error;
}

function decodeError(path: string, problem: string): AppError {
  return new AppError("json-invalid", path === "" ? `the JSON text: ${problem}` : `${path}: ${problem}`, {
    field: path,
  });
}

/**
 * The position of the mistake, if V8 reports it. The rest of its message may quote the text, which may contain secrets.
 */
function position(error: SyntaxError): string {
  return / at position \d+(?= \(line \d+ column \d+\)$)/.exec(error.message)?.[0] ?? "";
}

export function mismatch(expected: string, value: JsonValue): Error {
  return new Unfit(`expected ${expected}, found ${kindOf(value)}`);
}

function kindOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (isNumber(value)) return "a number";
  if (typeof value === "object") return isMembers(value) ? "an object" : "a value that JSON does not have";
  return `a ${typeof value}`;
}

/** A member of a map, in a path. */
export const nameIn = (name: string): string =>
  `[${JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)}]`;
