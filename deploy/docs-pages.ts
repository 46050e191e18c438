// The pages of docs/ in reading order, which is that of docs/README.md. Each ends with links to the previous and the
// next page.
import { readFileSync } from "node:fs";
import { ROOT } from "./build.ts";

/** The page with the table of contents. */
export const INDEX = "README.md";
const FOOTER = /\n---\n\n(?:Previous: \[.*|\[Contents\].*)\n$/;

const read = (name: string) => readFileSync(`${ROOT}docs/${name}`, "utf8");

/** The names of the pages, in the order of the index. */
export function pagesInOrder(index = read(INDEX)): string[] {
  return Array.from(index.matchAll(/^- \[.*?\]\(([\w-]+\.md)\)/gm), ([, name = ""]) => name);
}

/** A page with the links at its end, which replace existing ones. */
export function withFooter(name: string, text: string): string {
  const pages = pagesInOrder();
  const at = pages.indexOf(name);
  if (at < 0)
    throw new Error(`docs/${INDEX} has no line for ${name}: add "- [Title](${name}): what it says"`);
  const link = (word: string, page: string | undefined) =>
    page ? [`${word}: [${titleOf(page)}](${page})`] : [];
  const links = [...link("Previous", pages[at - 1]), `[Contents](${INDEX})`, ...link("Next", pages[at + 1])];
  return `${text.replace(FOOTER, "")}\n---\n\n${links.join(" · ")}\n`;
}

function titleOf(page: string): string {
  const [, title] = /^# (.+)$/m.exec(read(page)) ?? [];
  if (title === undefined) throw new Error(`docs/${page} has no title: its first line must be "# Title"`);
  return title;
}
