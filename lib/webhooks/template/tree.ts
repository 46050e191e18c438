import type { Value } from "./value.ts";

/** A parsed template. `at` is always an offset in its text. */
export type Node =
  | { kind: "text"; at: number; text: string }
  | { kind: "action"; at: number; pipe: Pipe }
  | Branch;

/** `otherwise` has the nodes after `else`; empty without one. */
export interface Branch {
  kind: "if" | "with" | "range";
  at: number;
  pipe: Pipe;
  body: Node[];
  otherwise: Node[];
}

/** Commands, each of which gets the value of the previous one as its last argument. */
export interface Pipe {
  at: number;
  /** The variables that take its value: with two, in a `range`, the first takes the key. */
  names: string[];
  /** `=` assigns to existing variables, `:=` declares new ones. */
  assigns: boolean;
  commands: Command[];
}

/** A value, or a call. */
export interface Command {
  at: number;
  /** A function or a value, and its arguments; never empty. */
  args: [Operand, ...Operand[]];
}

/** `names` and `fields` are member names without their dots. */
export type Operand =
  | { kind: "dot"; at: number }
  | { kind: "nil"; at: number }
  | { kind: "literal"; at: number; value: Value }
  | { kind: "function"; at: number; name: string }
  | { kind: "field"; at: number; names: string[] }
  | { kind: "variable"; at: number; name: string; fields: string[] }
  | { kind: "pipe"; at: number; pipe: Pipe }
  /** Fields of the value of parentheses, or of a function without arguments. */
  | { kind: "chain"; at: number; of: Operand; names: string[] };
