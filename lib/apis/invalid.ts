import { AppError } from "../errors.ts";

/** Where a definition stands. */
export interface Source {
  file: string;
  /** The place in the file, where it holds more than this definition, such as `[2]`; "" otherwise. */
  at: string;
  /** Webhooks and log handlers run here also where they do not say so: the gateway's own copy has none. */
  runsAll?: boolean;
  /** Takes what is odd about the definition, but keeps nothing of it from being used. */
  warn(message: string): void;
}

/** A member's full name in its file. */
export const memberOf = ({ at }: Pick<Source, "at">, member: string) =>
  [at, member].filter(Boolean).join(".");

/** A `definition-invalid` error; `problem` continues the sentence that the file and the member's full name begin. */
export function invalidDefinition(source: Source, member: string, problem: string): AppError {
  const field = memberOf(source, member);
  return new AppError("definition-invalid", `${source.file}: ${field} ${problem}`, { field });
}

/** Gives an error of the decoder the file and the member that was decoded. */
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
