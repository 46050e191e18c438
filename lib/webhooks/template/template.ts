import { AppError } from "../../errors.ts";
import { escapeNodes } from "./escape.ts";
import { templateValue } from "./event.ts";
import { MissingMember, Mistake, placeOf } from "./mistake.ts";
import { parse } from "./parse.ts";
import { type Limits, run } from "./run.ts";
import type { Node } from "./tree.ts";
import type { Value } from "./value.ts";

/** A body is at most as large as an event; a template with more steps than this does more than print an event. */
export const LIMITS: Limits = { bytes: 1024 * 1024, steps: 500_000 };
/** gatehook's own limit, in UTF-8. */
export const MAX_TEMPLATE_BYTES = 64 * 1024;

/** A parsed template; `render` prints it any number of times. */
export interface Template {
  file: string;
  text: string;
  nodes: Node[];
}

/** A mistake in a template's text, with its position counted from 1. */
export interface TemplateProblem {
  line: number;
  column: number;
  message: string;
}

/**
 * The part of Go's `html/template` that webhooks need: docs/webhooks.md lists what is not supported. Throws
 * `template-invalid` with file and line, for what Go rejects too and for what is not supported.
 *
 * @example
 * const template = parseTemplate("templates/chat.json", '{"text": "{{.Type}} for {{.Meta.Key}}"}'); render(template,
 * templateValue(event)); // {"text": "KeyExpired for k1"}
 */
export function parseTemplate(file: string, text: string): Template {
  const nodes = located("template-invalid", { file, text }, () => {
    if (Buffer.byteLength(text) > MAX_TEMPLATE_BYTES)
      throw new Mistake(0, `the template has more than ${MAX_TEMPLATE_BYTES} bytes: make it smaller`);
    return escapeNodes(parse(text), text);
  });
  return { file, text, nodes };
}

/**
 * The template's text for a value. Throws `template-failed` with file and line if Go ends with an error, for example
 * for a member that an event does not have, and at a limit.
 */
export const render = (template: Template, value: Value, limits = LIMITS): string =>
  located("template-failed", template, () => run(template.nodes, value, limits));

/**
 * The mistakes in a template that webhooks use for these event types: syntax errors, or members that such an event does
 * not have. The template is rendered with empty members, so a branch that depends on a member's value is not checked,
 * but a branch that depends on the type is.
 */
export function templateProblems(file: string, text: string, types: string[]): TemplateProblem[] {
  const parsed = attempted(text, () => parseTemplate(file, text));
  if ("problem" in parsed) return [parsed.problem];
  // All of them share the limits of one body, since the releaser checks every upload.
  const limits = { ...LIMITS, steps: LIMITS.steps / types.length };
  const problems = types.flatMap((type) => {
    const event = templateValue({ Type: type, Meta: {}, TimeStamp: "" });
    const rendered = attempted(text, () => render(parsed.value, event, limits));
    // Other errors may occur only because the members are empty.
    if (!("problem" in rendered) || !(rendered.cause instanceof MissingMember)) return [];
    return [{ ...rendered.problem, message: `for an event ${type}: ${rendered.problem.message}` }];
  });
  const byPlace = new Map(problems.map((problem) => [`${problem.line}:${problem.column}`, problem]));
  return [...byPlace.values()];
}

type Attempted<T> = { value: T } | { problem: TemplateProblem; cause: Mistake };

function attempted<T>(text: string, work: () => T): Attempted<T> {
  try {
    return { value: work() };
  } catch (thrown) {
    const { cause } = thrown as AppError;
    if (!(cause instanceof Mistake)) throw thrown;
    return { problem: { ...placeOf(text, cause.at), message: cause.message }, cause };
  }
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
