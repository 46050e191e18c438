import { signal } from "@preact/signals";
import type { Frame } from "./answers.ts";

/** Each opens a file at a line. Links with other schemes are not made. */
const SCHEMES: Record<string, (frame: Frame) => string> = {
  vscode: ({ file, line, column }) => `vscode://file${encodeURI(file)}:${line}:${column}`,
  idea: ({ file, line }) => `idea://open?${new URLSearchParams({ file, line: String(line) })}`,
  zed: ({ file, line, column }) => `zed://file${encodeURI(file)}:${line}:${column}`,
};

const STORED = "gatehook-editor";
const chosen = signal(sessionStorage.getItem(STORED) ?? "vscode");

export const editor = {
  names: Object.keys(SCHEMES),
  get chosen() {
    return chosen.value;
  },
  choose(name: string) {
    chosen.value = name;
    sessionStorage.setItem(STORED, name);
  },
  /** "" if the file is not on this machine. */
  addressOf: (frame: Frame) => (frame.file === "" ? "" : (SCHEMES[chosen.value]?.(frame) ?? "")),
};
