import { diff } from "node:util";

const CONTEXT = 3;

/** The lines that differ, each with the lines around it; three dots stand for omitted lines. */
export function lineHunks(before: string[], after: string[]): string[] {
  const lines = diff(before, after);
  const near = new Set<number>();
  for (const [at, [operation]] of lines.entries()) {
    if (operation === 0) continue;
    for (let line = at - CONTEXT; line <= at + CONTEXT; line += 1) near.add(line);
  }
  return lines.flatMap(([operation, text], at) => {
    if (!near.has(at)) return near.has(at - 1) ? ["  ..."] : [];
    return [`  ${operation === 0 ? " " : operation === 1 ? "-" : "+"} ${text}`];
  });
}
