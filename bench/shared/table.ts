export type Cell = string | number;

/** Rows with their headings, as Markdown; all columns except the first are aligned to the right. */
export const markdownTable = (heads: string[], rows: Cell[][]): string =>
  [heads, heads.map((_, nth) => (nth === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.map(String).join(" | ")} |`)
    .join("\n");

/** The same for a terminal. */
export function textTable(heads: string[], rows: Cell[][]): string {
  const all = [heads, ...rows].map((cells) => cells.map(String));
  const widths = heads.map((_, column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ");
  return all.map(line).join("\n");
}
