import { readdirSync, readFileSync } from "node:fs";
import type { FailureCode, Outcome, Script } from "../../lib/runtime/protocol.ts";

export type Ending = "completed" | "exception" | "interrupted" | "killed" | "oom" | "trap";

/** One file of scripts/, as its first line describes it. */
export interface HostileScript {
  name: string;
  /** `handler`: the text is a handler's body. `load`: it is a whole file, which may define hostileHandler. */
  mode: "handler" | "load";
  /** Each of these is right. */
  endings: Ending[];
  /** Harmless, and the same at every run. */
  mix: boolean;
  text: string;
}

const HEADER = /^\/\/ category: \w+ \| mode: (handler|load) \| expect: ([a-z,]+) \| mix: (yes|no)/;
const FOLDER = new URL("./scripts/", import.meta.url);

export function readCorpus(): HostileScript[] {
  return readdirSync(FOLDER)
    .sort()
    .map((file) => {
      const text = readFileSync(new URL(file, FOLDER), "utf8");
      const [, mode, endings = "", mix] = HEADER.exec(text) ?? [];
      if (mode !== "handler" && mode !== "load") throw new Error(`${file} has no header`);
      const name = file.replace(/\.js$/, "");
      return { name, mode, endings: endings.split(",") as Ending[], mix: mix === "yes", text };
    });
}

/** A script that defines handler `variable`; the body itself knows it as hostileHandler. */
export function asScript({ name, mode, text }: HostileScript, variable = "hostileHandler"): Script {
  const path = `hostile/${name}.js`;
  if (mode === "load") return { path, source: text };
  return {
    path,
    source: `var ${variable} = new TykJS.TykEventHandlers.NewEventHandler({});
(function (hostileHandler) {
hostileHandler.NewHandler(function (event, context) {
${text}
});
})(${variable});`,
  };
}

const ENDINGS: Record<FailureCode, Ending[]> = {
  threw: ["exception"],
  // A trap is told as the limit that it broke.
  stack: ["exception", "trap"],
  memory: ["oom", "trap"],
  killed: ["killed", "trap"],
  timeout: ["interrupted"],
  jobs: ["interrupted", "exception"],
  "http-calls": ["interrupted"],
  "storage-calls": ["interrupted"],
  "session-calls": ["interrupted"],
};

export function endingsOf(outcome: Outcome): Ending[] {
  return outcome.ok ? ["completed"] : ENDINGS[outcome.code];
}
