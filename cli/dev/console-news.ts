import type { PinResults } from "./console-reruns.ts";

/** What the console is told by `dev`. */
export interface News {
  recorded: Set<() => void>;
  released: Set<() => void>;
  pinned: Set<() => void>;
  /** What pinned events came to at the last save. */
  pins: PinResults;
}

/** Without listeners. */
export const noNews = (): News => ({
  recorded: new Set(),
  released: new Set(),
  pinned: new Set(),
  pins: new Map(),
});
