// The part of docs/deploy.md that bench:cost writes.
import type { CostResult } from "../cost.ts";

const BEGIN = "<!-- Made by `npm run bench -- cost --write`. -->";
const END = "<!-- The end of what is made. -->";

/** The document with the table and the text below it replaced. */
export function withCost(text: string, cost: CostResult): string {
  const [before, , after] = split(text);
  return `${before}${BEGIN}\n\n${costText(cost)}\n\n${END}${after}`;
}

function split(text: string): [string, string, string] {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`docs/deploy.md has no place for the costs: ${BEGIN} … ${END}`);
  return [text.slice(0, from), text.slice(from, to), text.slice(to + END.length)];
}

function costText({ bill, others }: CostResult): string {
  const rows = bill.rows.map(
    ({ what, amount, price, usd }) => `| ${what} | ${amount} | ${price} | ${usd.toFixed(2)} |`,
  );
  const events = others.map(
    ({ kind, read_units, write_units, usd_per_million }) =>
      `| ${kind} | ${read_units} | ${write_units} | ${usd_per_million.toFixed(2)} |`,
  );
  return [
    "| what | how much | price | USD |",
    "| --- | --- | --- | ---: |",
    ...rows,
    `| **sum** | | | **${bill.sum.toFixed(2)}** |`,
    `| sum with ingest's own URL instead of the HTTP API | | | ${bill.without_http_api.toFixed(2)} |`,
    "",
    "Other events; all costs except DynamoDB and the log are the same:",
    "",
    "| an event that | read units | write units | USD a million |",
    "| --- | ---: | ---: | ---: |",
    ...events,
  ].join("\n");
}
