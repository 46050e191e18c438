import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

/** By key, or two keys in sequence such as `g e`: its description and its action. */
export type Keys = Record<string, { does: string; run: () => void }>;

const STORED = "gatehook-single-keys";

/** WCAG 2.1.4: speech input can trigger keys by mistake. */
export const areOn = signal(sessionStorage.getItem(STORED) !== "off");
export function switchKeys(on: boolean): void {
  areOn.value = on;
  sessionStorage.setItem(STORED, on ? "on" : "off");
}

const layers: { current: Keys }[] = [];

/** Registers the keys of a component while it is mounted. The component that was mounted last has precedence. */
export function useKeys(keys: Keys): void {
  const layer = useRef(keys);
  layer.current = keys;
  // Before the component is painted, so that its keys work as soon as it is visible.
  useLayoutEffect(() => {
    layers.push(layer);
    return () => void layers.splice(layers.indexOf(layer), 1);
  }, []);
}

/** All current keys, for the help. */
export const allKeys = (): [string, string][] =>
  Object.entries(Object.assign({}, ...layers.map(({ current }) => current)) as Keys).map(
    ([key, { does }]) => [key, does],
  );

const PAIR_MS = 1_500;
let first = "";
let firstAt = 0;

const isField = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");

const NAMES: Record<string, string> = { ArrowDown: "↓", ArrowUp: "↑", " ": "space", Escape: "Esc" };
/** A focused control handles these itself. */
const OF_CONTROLS = ["Enter", "space"];

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const key = NAMES[event.key] ?? event.key;
  const inField = isField(event.target);
  if (inField && key !== "Esc") return;
  if (!areOn.value && !["Esc", "↓", "↑", "Enter"].includes(key)) return;
  const isControl = event.target instanceof Element && event.target.closest("button, a, summary");
  if (isControl && OF_CONTROLS.includes(key)) return;
  if (inField && event.target instanceof HTMLElement) return event.target.blur();
  const pair = first !== "" && event.timeStamp - firstAt < PAIR_MS ? `${first} ${key}` : "";
  first = "";
  const found = find(pair) ?? find(key);
  if (found) {
    event.preventDefault();
    found.run();
  } else if (layers.some(({ current }) => Object.keys(current).some((each) => each.startsWith(`${key} `)))) {
    event.preventDefault();
    [first, firstAt] = [key, event.timeStamp];
  }
});

function find(key: string): Keys[string] | undefined {
  if (key === "") return undefined;
  for (const { current } of layers.toReversed()) if (Object.hasOwn(current, key)) return current[key];
  return undefined;
}
