/** `1 event`, `2 events`: `what` is a noun in the singular whose plural ends with s. */
export const countOf = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;

/** The size of a release: `1 API, 2 scripts`. */
export const sizeText = ({ apis, scripts }: { apis: number; scripts: number }) =>
  `${countOf(apis, "API")}, ${countOf(scripts, "script")}`;
