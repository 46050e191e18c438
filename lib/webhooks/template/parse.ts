import { FUNCTIONS } from "./functions.ts";
import { numberOf, stringOf } from "./literals.ts";
import { Mistake } from "./mistake.ts";
import { type Token, type TokenKind, tokensOf } from "./tokens.ts";
import type { Branch, Command, Node, Operand, Pipe } from "./tree.ts";

/** The maximum nesting of branches and parentheses. */
const MAX_DEPTH = 100;

/** Words of the language that are not supported, and what to write instead. */
const LEFT_OUT: Record<string, string> = {
  define: "write the whole body in this file",
  block: "write its text where it stands",
  template: "write its text where it stands",
  break: "choose with if inside the range",
  continue: "choose with if inside the range",
};
const BRANCHES = ["if", "with", "range"];
const KEYWORDS = new Set([...BRANCHES, "else", "end", "nil", ...Object.keys(LEFT_OUT)]);

/** The words that end a list of nodes. */
interface Ending {
  word: "else" | "end";
  at: number;
  /** For `else if` and `else with`: the word that follows. */
  next?: string;
}

/** Throws a `Mistake` for what Go rejects, and for what is not supported here. */
export function parse(text: string): Node[] {
  const tokens = tokensOf(text);
  let position = 0;
  let depth = 0;
  let names = ["$"];

  const peek = (): Token => tokens[position] as Token;
  const next = (): Token => tokens[position++] as Token;
  const skipSpace = () => {
    while (peek().kind === "space") position += 1;
  };
  const isWord = (word: string) => peek().kind === "word" && peek().text === word;

  function expect(kind: TokenKind, where: string): Token {
    skipSpace();
    if (peek().kind !== kind) throw unexpected(peek(), where);
    return next();
  }

  function deeper<T>(at: number, work: () => T): T {
    depth += 1;
    if (depth > MAX_DEPTH)
      throw new Mistake(at, `branches and parentheses stand more than ${MAX_DEPTH} deep`);
    const made = work();
    depth -= 1;
    return made;
  }

  function list(opened: Token | undefined): { nodes: Node[]; ending: Ending | undefined } {
    const nodes: Node[] = [];
    while (peek().kind !== "end") {
      const token = next();
      if (token.kind === "text") nodes.push({ kind: "text", at: token.at, text: token.text });
      else {
        const found = action(token);
        if ("word" in found) {
          if (!opened)
            throw new Mistake(token.at, `{{${found.word}}} ends nothing: no if, with or range is open here`);
          return { nodes, ending: found };
        }
        nodes.push(found);
      }
    }
    if (opened) throw new Mistake(opened.at, `{{${opened.text}}} is not closed: write {{end}}`);
    return { nodes, ending: undefined };
  }

  function action(open: Token): Node | Ending {
    skipSpace();
    const first = peek();
    if (first.kind !== "word" || !KEYWORDS.has(first.text) || first.text === "nil")
      return { kind: "action", at: open.at, pipe: pipe("close", "an action") };
    const instead = LEFT_OUT[first.text];
    if (instead) throw new Mistake(first.at, `gatehook's templates have no ${first.text}: ${instead}`);
    next();
    if (first.text === "end") {
      expect("close", "{{end}}");
      return { word: "end", at: first.at };
    }
    return first.text === "else" ? otherwise(first) : branch(first);
  }

  function otherwise({ at }: Token): Ending {
    skipSpace();
    if (isWord("if") || isWord("with")) return { word: "else", at, next: peek().text };
    expect("close", "{{else}}");
    return { word: "else", at };
  }

  function branch(word: Token): Branch {
    return deeper(word.at, () => {
      const kind = word.text as Branch["kind"];
      const outer = names.length;
      const made: Branch = { kind, at: word.at, pipe: pipe("close", kind), body: [], otherwise: [] };
      const { nodes, ending } = list(word);
      made.body = nodes;
      if (ending?.word === "else") made.otherwise = alternative(word, ending);
      names = names.slice(0, outer);
      return made;
    });
  }

  function alternative(word: Token, { at, next: chained }: Ending): Node[] {
    if (chained === undefined) {
      const { nodes, ending } = list(word);
      if (ending?.word === "else")
        throw new Mistake(ending.at, "a second {{else}}: end the branch with {{end}}");
      return nodes;
    }
    if (chained !== word.text)
      throw new Mistake(at, `{{else ${chained}}} belongs to {{${chained}}}, not to {{${word.text}}}`);
    return [branch(next())];
  }

  function pipe(end: "close" | ")", where: string): Pipe {
    skipSpace();
    const made: Pipe = { at: peek().at, ...declaration(where), commands: [] };
    for (;;) {
      skipSpace();
      if (peek().kind === end) {
        next();
        break;
      }
      made.commands.push(command());
    }
    if (made.commands.length === 0)
      throw new Mistake(made.at, `${where} has no value: name one, such as .Type`);
    for (const { at, args } of made.commands.slice(1))
      if (["dot", "nil", "literal"].includes(args[0].kind))
        throw new Mistake(at, "what follows | must be a function: this is a value");
    return made;
  }

  function declaration(where: string): Pick<Pipe, "names" | "assigns"> {
    const found: string[] = [];
    for (;;) {
      const start = position;
      skipSpace();
      if (peek().kind !== "variable") break;
      const variable = next();
      skipSpace();
      const { kind } = peek();
      if (kind !== "=" && kind !== ":=" && kind !== ",") {
        position = start;
        break;
      }
      next();
      found.push(variable.text);
      names.push(variable.text);
      if (kind !== ",") return { names: found, assigns: kind === "=" };
      if (where !== "range" || found.length > 1)
        throw new Mistake(variable.at, "only a range declares two variables, the key and the value");
      skipSpace();
      if (!["variable", "close", ")"].includes(peek().kind))
        throw new Mistake(peek().at, "a range can only declare variables: write $key, $value := .Meta");
    }
    return { names: found, assigns: false };
  }

  function command(): Command {
    const { at } = peek();
    const args: Operand[] = [];
    for (;;) {
      skipSpace();
      const found = operand();
      if (found) args.push(found);
      const { kind } = peek();
      if (kind === "space") continue;
      if (kind === "pipe") next();
      else if (kind !== "close" && kind !== ")") throw unexpected(peek(), "an action");
      break;
    }
    const [first, ...others] = args;
    if (!first) throw new Mistake(at, "| stands without a value before it");
    return { at, args: [first, ...others] };
  }

  function operand(): Operand | undefined {
    const of = term();
    if (of === undefined || peek().kind !== "field") return of;
    const { at } = peek();
    const fields: string[] = [];
    while (peek().kind === "field") fields.push(next().text.slice(1));
    if (of.kind === "field") return { ...of, names: [...of.names, ...fields] };
    if (of.kind === "variable") return { ...of, fields: [...of.fields, ...fields] };
    if (of.kind !== "pipe" && of.kind !== "function")
      throw new Mistake(at, "only an event and what is in it has fields");
    return { kind: "chain", at, of, names: fields };
  }

  function term(): Operand | undefined {
    const token = peek();
    const { at, text: written } = token;
    const made = (found: Operand): Operand => {
      position += 1;
      return found;
    };
    if (token.kind === "dot") return made({ kind: "dot", at });
    if (token.kind === "field") return made({ kind: "field", at, names: [written.slice(1)] });
    if (token.kind === "number") return made({ kind: "literal", at, value: numberOf(token) });
    if (token.kind === "string" || token.kind === "raw")
      return made({ kind: "literal", at, value: stringOf(token) });
    if (token.kind === "variable") {
      if (!names.includes(written))
        throw new Mistake(at, `${written} is not declared: write {{${written} := …}} before it`);
      return made({ kind: "variable", at, name: written, fields: [] });
    }
    if (token.kind === "(") {
      position += 1;
      return { kind: "pipe", at, pipe: deeper(at, () => pipe(")", "a parenthesis")) };
    }
    return token.kind === "word" ? word(token, made) : undefined;
  }

  function word({ at, text: written }: Token, made: (found: Operand) => Operand): Operand | undefined {
    if (written === "true" || written === "false")
      return made({ kind: "literal", at, value: written === "true" });
    if (written === "nil") return made({ kind: "nil", at });
    if (KEYWORDS.has(written)) return undefined;
    if (!FUNCTIONS.has(written))
      throw new Mistake(
        at,
        `there is no function ${written}: those that there are: ${[...FUNCTIONS.keys()].join(", ")}`,
      );
    return made({ kind: "function", at, name: written });
  }

  return list(undefined).nodes;
}

function unexpected({ kind, at, text }: Token, where: string): Mistake {
  if (kind === "close") return new Mistake(at, `${where} ends too early`);
  return new Mistake(at, `${JSON.stringify(text)} cannot stand here, in ${where}`);
}
