import type { HeldBack } from "../lib/releases/report.ts";

/** The text about the APIs that do not go live with the rest of an upload. */
export function heldLines({ kept, left_out }: HeldBack): string[] {
  return [
    ...(kept.length > 0 ? [`${"kept".padEnd(9)}as they were live before: ${kept.join(", ")}`] : []),
    ...(left_out.length > 0 ? [`${"left out".padEnd(9)}not live yet: ${left_out.join(", ")}`] : []),
  ];
}
