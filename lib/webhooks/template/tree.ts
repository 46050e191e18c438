import type { Value } from "./value.ts";

/** A parsed template. `at` is everywhere an offset in its text. */
export type Node =
  | { kind: "text"; at: number; text: string }
  | { kind: "action"; at: number; pipe: Pipe }
  | Branch;

/** `otherwise` is what follows `else`; empty without one. */
export interface Branch {
  kind: "if" | "with" | "range";
  at: number;
  pipe: Pipe;
  body: Node[];
  otherwise: Node[];
}

/** Commands of which each gets the value of the one before it as its last argument. */
export interface Pipe {
  at: number;
  /** The variables that take its value: with two, in a `range`, the first takes the key. */
  names: string[];
  /** By `=` to variables that are there, not by `:=` to new ones. */
  assigns: boolean;
  commands: Command[];
}

/** A value, or a call. */
export interface Command {
  at: number;
  /** A function or a value, and its arguments; never empty. */
  args: [Operand, ...Operand[]];
}

/** `names` and `fields` are names of members without their dots. */
export type Operand =
  | { kind: "dot"; at: number }
  | { kind: "nil"; at: number }
  | { kind: "literal"; at: number; value: Value }
  | { kind: "function"; at: number; name: string }
  | { kind: "field"; at: number; names: string[] }
  | { kind: "variable"; at: number; name: string; fields: string[] }
  | { kind: "pipe"; at: number; pipe: Pipe }
  /** Fields of what parentheses, or a function without arguments, give. */
  | { kind: "chain"; at: number; of: Operand; names: string[] };
