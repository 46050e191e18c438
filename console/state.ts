import { signal } from "@preact/signals";
import type { State } from "./answers.ts";
import { get } from "./api.ts";

/** The server's last answer to `GET /state`. */
export const state = signal<State | undefined>(undefined);

export type Link = "connecting" | "live" | "paused" | "behind" | "lost";
export const link = signal<Link>("connecting");
/** For `lost`: since when; for `behind`: the number of events that were only counted. */
export const lostSince = signal(0);
export const behindBy = signal(0);

export async function readState(): Promise<void> {
  state.value = await get<State>("/state");
}

/** Whether changes are allowed now. */
export const mayWrite = () => state.value?.write === true && link.value !== "lost";

/** A short message at the edge of the page, also announced once to screen readers. */
export const toast = signal<{ text: string; kind: "done" | "fail" } | undefined>(undefined);
let toastTimer = 0;
export function tell(text: string, kind: "done" | "fail" = "done"): void {
  toast.value = { text, kind };
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    toast.value = undefined;
  }, TOAST_MS) as unknown as number;
}
const TOAST_MS = 6_000;

/** The text in the polite live region for screen readers: at most one text in five seconds. */
export const said = signal("");
let next: (() => string) | undefined;
let sayTimer = 0;
export function say(text: () => string): void {
  next = text;
  if (sayTimer !== 0) return;
  const speak = () => {
    sayTimer = 0;
    if (!next) return;
    said.value = next();
    next = undefined;
    sayTimer = setTimeout(speak, SAY_MS) as unknown as number;
  };
  sayTimer = setTimeout(speak, FIRST_SAY_MS) as unknown as number;
}
const SAY_MS = 5_000;
const FIRST_SAY_MS = 200;
