import type { PinResults } from "./console-reruns.ts";

/** The events that `dev` reports to the console. */
export interface News {
  recorded: Set<() => void>;
  released: Set<() => void>;
  pinned: Set<() => void>;
  /** The results of pinned events at the last save. */
  pins: PinResults;
}

/** Without listeners. */
export const noNews = (): News => ({
  recorded: new Set(),
  released: new Set(),
  pinned: new Set(),
  pins: new Map(),
});
