import type { ProveMarks } from "../../lib/sessions/item.ts";

/** For tests whose sessions have no marks. */
export const NO_MARKS: ProveMarks = () => Promise.reject(new Error("no session of this test has marks"));
