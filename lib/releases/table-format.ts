import { AppError } from "../errors.ts";

/**
 * The format of the tables in the item of the live release (`format`). 1, or missing: sessions have no marks. 2: they
 * may have marks. Versions without marks drop them, so both must never run together.
 */
export const TABLE_FORMAT = 2;

/** Throws `format-unknown` if the tables have the format of a later version. */
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
