import { CORE_LINE } from "../../lib/consumer/core-line.ts";
import { callText } from "../../lib/history/call-text.ts";
import type { Rerun, Verdict } from "../../lib/history/rerun.ts";
import type { Step, StepPair } from "../../lib/history/steps.ts";
import type { NamedTarget } from "../rerun-target.ts";
import { changeTexts } from "./attempt-lines.ts";
import { errorFrame } from "./error-frame.ts";
import { cut } from "./layout.ts";
import { linesOf, ownFrames } from "./printable.ts";

const WORDS: Record<Verdict, string> = {
  same: "same as recorded",
  done: "failed before, done now",
  fails: "fails now",
  differs: "differs from the record",
};

/** The text of a rerun's result. */
export function verdictText({ verdict, grade, why }: Rerun): string {
  const how = grade === "exact" || grade === "chain" ? "exact" : `not exact: ${why.join("; ")}`;
  return `${WORDS[verdict]} (${how})`;
}

/** Steps that are shown around each difference. */
const AROUND = 2;
const WHAT = 10;

/**
 * The differences of a rerun, with `-` for the record and `+` for the rerun, with the steps around them; and the source
 * line of its error.
 */
export function differenceLines(
  { diff, now, verdict }: Rerun,
  { atSources, textOf = () => undefined }: Pick<NamedTarget, "atSources" | "textOf">,
): string[] {
  const near = new Set<number>();
  for (const [at, { same }] of diff.entries())
    if (!same) for (let step = at - AROUND; step <= at + AROUND; step += 1) near.add(step);
  const lines = diff.flatMap((pair, at) => {
    const isFirst = pair.handler !== diff[at - 1]?.handler;
    const head = isFirst && hasDifference(diff, pair) ? [`  ${pair.handler}`] : [];
    if (near.has(at)) return [...head, ...pairLines(pair, atSources)];
    return [...head, ...(near.has(at - 1) ? ["      ..."] : [])];
  });
  const frame = verdict === "fails" ? errorFrame(atSources(now.error ?? ""), textOf) : [];
  return [...lines, ...frame.map((line) => `    ${line}`)];
}

const hasDifference = (diff: StepPair[], { handler }: StepPair) =>
  diff.some((pair) => pair.handler === handler && !pair.same);

function pairLines({ then, now, same }: StepPair, atSources: (text: string) => string): string[] {
  if (same && now) return marked(" ", stepTexts(now, atSources));
  return [
    ...(then
      ? marked(
          "-",
          stepTexts(then, (text) => text, true),
        )
      : []),
    ...(now ? marked("+", stepTexts(now, atSources, true)) : []),
  ];
}

const marked = (mark: string, texts: string[]) => texts.map((text) => `    ${mark} ${text}`);

const LONGEST = 400;

/** `whole`: with the arguments of a call. */
export function stepTexts(step: Step, atSources: (text: string) => string, whole = false): string[] {
  switch (step.what) {
    case "call": {
      const { verb, text } = callText(step);
      const given = whole ? argsText(step) : "";
      return [row(verb, text), ...(given ? [row("", cut(given, LONGEST))] : [])];
    }
    case "log":
      if (step.text === CORE_LINE) return [];
      return rows(`log ${step.level}`, atSources(step.text));
    case "write":
      return changeTexts(step).map((text) => row("", text));
    case "end":
      if (step.outcome === "done") return [row("done", "")];
      return rows("failed", `${step.reason ?? ""}: ${ownFrames(atSources(step.error ?? ""))}`);
  }
}

/** Not for sessions, where the change shows them. */
function argsText({ name, args }: Step & { what: "call" }): string {
  if (name === "makeHttpRequest" || name === "batchRequest") return args[0] ?? "";
  return name === "storage" ? args.slice(2).join(" ") : "";
}

const row = (what: string, text: string) => `${what.padEnd(WHAT)}${text}`.trimEnd();

const rows = (what: string, text: string) => linesOf(text).map((line, at) => row(at === 0 ? what : "", line));
