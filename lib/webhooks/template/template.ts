import { AppError } from "../../errors.ts";
import { escapeNodes } from "./escape.ts";
import { Mistake, placeOf } from "./mistake.ts";
import { parse } from "./parse.ts";
import { type Limits, run } from "./run.ts";
import type { Node } from "./tree.ts";
import type { Value } from "./value.ts";

/** A body is a record's worth at most; what takes more steps than this prints no event, it computes. */
export const LIMITS: Limits = { bytes: 256 * 1024, steps: 500_000 };
export const MAX_TEMPLATE_BYTES = 64 * 1024;

export interface Template {
  file: string;
  text: string;
  nodes: Node[];
}

/** What is wrong with a template's text, with the place counted from 1. */
export interface TemplateProblem {
  line: number;
  column: number;
  message: string;
}

/**
 * Go's `html/template`, as far as webhooks need it: docs/webhooks.md has what is left out. Throws `template-invalid`
 * with file and line, for what Go refuses too and for what is left out.
 */
export function parseTemplate(file: string, text: string): Template {
  if (Buffer.byteLength(text) > MAX_TEMPLATE_BYTES)
    throw new AppError(
      "template-invalid",
      `${file} has more than ${MAX_TEMPLATE_BYTES} bytes: make it smaller`,
    );
  const nodes = located("template-invalid", { file, text }, () => escapeNodes(parse(text), text));
  return { file, text, nodes };
}

/**
 * The template's text for a value. Throws `template-failed` with file and line where Go ends with an error, such as for
 * a member that an event does not have, and at a limit.
 */
export const render = (template: Template, value: Value, limits = LIMITS): string =>
  located("template-failed", template, () => run(template.nodes, value, limits));

/** The same errors without the file, for a report that has a place for it; undefined for one that is right. */
export function problemOf(thrown: unknown, text: string): TemplateProblem | undefined {
  const { cause } = thrown as AppError;
  return cause instanceof Mistake ? { ...placeOf(text, cause.at), message: cause.message } : undefined;
}

function located<T>(
  code: "template-invalid" | "template-failed",
  { file, text }: Pick<Template, "file" | "text">,
  work: () => T,
): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof Mistake)) throw cause;
    const { line, column } = placeOf(text, cause.at);
    throw new AppError(code, `${file}:${line}:${column}: ${cause.message}`, { cause });
  }
}
