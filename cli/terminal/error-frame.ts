import { isAbsolute } from "node:path";
import { lineWidth } from "./layout.ts";
import { codeFrame } from "./problem-lines.ts";

/** The source line of an error; empty if unknown. */
export function errorFrame(error: string, textOf: (file: string) => string | undefined): string[] {
  const place = placeIn(error);
  return place ? codeFrame(textOf(place.file), { ...place, message: "" }, lineWidth()) : [];
}

/** The first place of an error that is not in the gateway's API. */
function placeIn(error: string): { file: string; line: number; column: number } | undefined {
  for (const [, file = "", line, column] of error.matchAll(/([^\s()]+\.[cm]?[jt]s):(\d+):(\d+)/g)) {
    if (file === "prelude.js") continue;
    const path =
      isAbsolute(file) || /^(handlers|\.\.)\//.test(file) || file === "tykjs.js" ? file : `handlers/${file}`;
    return { file: path, line: Number(line), column: Number(column) };
  }
  return undefined;
}
