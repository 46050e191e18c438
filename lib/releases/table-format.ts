import { AppError } from "../errors.ts";

/**
 * What the tables may hold, as the item of the live release says it (`format`). 1, where it says nothing: a session has
 * no marks. 2: it may have. Code of versions that do not know marks drops them, so both must never run together.
 */
export const TABLE_FORMAT = 2;

/** Throws `format-unknown` where the tables are of a later version. */
export function tableFormatOf(live: Record<string, unknown> | undefined): number {
  const format = typeof live?.format === "number" ? live.format : 1;
  if (format > TABLE_FORMAT)
    throw new AppError(
      "format-unknown",
      `the tables have format ${format}, and this version of gatehook knows ${TABLE_FORMAT} at most: deploy a newer one`,
    );
  return format;
}

/** Whether sessions may have marks. Throws `format-unknown`. */
export const knowsMarks = (live: Record<string, unknown> | undefined) => tableFormatOf(live) >= 2;
