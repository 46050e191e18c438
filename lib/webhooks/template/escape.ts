import { type Context, escapeText, TEXT } from "./markup.ts";
import { Mistake } from "./mistake.ts";
import type { Command, Node, Operand, Pipe } from "./tree.ts";

/** Functions that escape; Go allows them only at the end of an action. */
const OWN_ESCAPERS = ["html", "urlquery"];

/**
 * The template with its static text as Go prints it, and with an escaper at the end of each action. Throws a `Mistake`
 * if a value, or a branch, is in a tag or a comment: Go escapes these differently, which is not supported.
 */
export function escapeNodes(nodes: Node[], text: string): Node[] {
  const { nodes: escaped, context } = inContext(nodes, TEXT);
  if (context.state !== "text")
    throw new Mistake(text.length, `the template ends ${PLACES[context.state]}: close it`);
  return escaped;
}

const PLACES: Record<Context["state"], string> = {
  text: "in text",
  comment: "in a comment of HTML",
  tag: "in a tag",
  name: "in a tag",
  "after-name": "in a tag",
  "before-value": "in a tag",
  value: "in the value of an attribute",
};

function inContext(nodes: Node[], start: Context): { nodes: Node[]; context: Context } {
  let context = start;
  const escaped = nodes.map((node): Node => {
    if (node.kind === "text") {
      const { text, context: next } = escapeText(node.text, context, node.at);
      context = next;
      return { ...node, text };
    }
    if (context.state !== "text") throw outside(node.at, context);
    if (node.kind === "action") return { ...node, pipe: escapedPipe(node.pipe) };
    return { ...node, body: branch(node.body, node.at), otherwise: branch(node.otherwise, node.at) };
  });
  return { nodes: escaped, context };
}

function branch(nodes: Node[], at: number): Node[] {
  const { nodes: escaped, context } = inContext(nodes, TEXT);
  if (context.state !== "text") throw outside(nodes.at(-1)?.at ?? at, context);
  return escaped;
}

const outside = (at: number, { state }: Context) =>
  new Mistake(
    at,
    `this stands ${PLACES[state]}, and gatehook's templates print values as text only: close it before, ` +
      "or write &lt; for a < that begins no tag",
  );

function escapedPipe(pipe: Pipe): Pipe {
  if (pipe.names.length > 0) return pipe;
  const { commands } = pipe;
  const early = commands.slice(0, -1).find((command) => OWN_ESCAPERS.includes(functionOf(command)));
  if (early)
    throw new Mistake(
      early.at,
      `${functionOf(early)} must be the last of an action: move it behind the last |`,
    );
  return { ...pipe, commands: withEscaper(commands) };
}

function withEscaper(commands: Command[]): Command[] {
  const before = commands.slice(0, -1);
  const last = commands.at(-1) as Command;
  const { at, args } = last;
  const own = functionOf(last);
  const ends = calling("escape", at);
  if (!OWN_ESCAPERS.includes(own)) return [...commands, ends];
  // Go joins the arguments of the first command of an action; it drops those of an `html` after a |.
  const joined = before.length === 0 && args.length > 1 ? [calling("joined", at, args.slice(1))] : before;
  if (own === "html") return [...joined, calling("html", at)];
  return before.length > 0 ? [...commands, ends] : [...joined, calling(own, at), ends];
}

const functionOf = ({ args: [first] }: Command) => (first.kind === "function" ? first.name : "");

const calling = (name: string, at: number, args: Operand[] = []): Command => ({
  at,
  args: [{ kind: "function", at, name }, ...args],
});
