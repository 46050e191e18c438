import { AppError } from "../errors.ts";

/** The place of a definition. */
export interface Source {
  file: string;
  /** The place in the file, such as `[2]`, if the file has more than one definition; "" otherwise. */
  at: string;
  /** gatehook also runs webhooks and log handlers that are not marked for it, since the gateway's copy has no marks. */
  runsAll?: boolean;
  /** Reports a warning; the definition is used nevertheless. */
  warn(message: string): void;
}

/** A member's full name in its file. */
export const memberOf = ({ at }: Pick<Source, "at">, member: string) =>
  [at, member].filter(Boolean).join(".");

/**
 * A `definition-invalid` error; `problem` continues the sentence that begins with the file and the member's full name.
 */
export function invalidDefinition(source: Source, member: string, problem: string): AppError {
  const field = memberOf(source, member);
  return new AppError("definition-invalid", `${source.file}: ${field} ${problem}`, { field });
}

/** Adds the file and the member to an error of the decoder. */
export function inFile<T>(file: string, at: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new AppError("definition-invalid", [`${file}:`, at, cause.message].filter(Boolean).join(" "), {
      cause,
    });
  }
}
