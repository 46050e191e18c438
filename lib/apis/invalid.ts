import { AppError } from "../errors.ts";

export function invalidDefinition(file: string, member: string, problem: string): AppError {
  return new AppError("definition-invalid", `${file}: ${member} ${problem}`, { field: member });
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
