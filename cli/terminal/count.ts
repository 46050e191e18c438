/** `1 event`, `2 events`: `what` is a noun in the singular whose plural ends with s. */
export const countOf = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
