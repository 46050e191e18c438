import { ESCAPERS, FUNCTIONS, type TemplateFunction } from "./functions.ts";
import { MissingMember, Mistake } from "./mistake.ts";
import { keysOf } from "./print.ts";
import type { Branch, Command, Node, Operand, Pipe } from "./tree.ts";
import { GoDuration, GoList, GoMap, GoStruct, GoTime, isTrue, typeOf, type Value } from "./value.ts";

/** The limits of one run of a template. */
export interface Limits {
  /** The limit of its output. */
  bytes: number;
  /**
   * Each evaluated value or member is a step. So are 16 characters that a function makes, 1024 characters that it reads or
   * the keys of a range have, and 64 variables that are searched.
   */
  steps: number;
}

const ALL: ReadonlyMap<string, TemplateFunction> = new Map([...FUNCTIONS, ...Object.entries(ESCAPERS)]);

const CHARS_A_STEP = { made: 16, read: 1024 };
const VARIABLES_A_STEP = 64;

/** There is no value from an earlier command of the pipe. */
const NONE = Symbol("none");
type Final = Value | typeof NONE;

/** The output of the nodes for this value. Throws a `Mistake` if Go ends with an error, or at a limit. */
export function run(nodes: Node[], data: Value, limits: Limits): string {
  const variables: { name: string; value: Value }[] = [{ name: "$", value: data }];
  const printed: string[] = [];
  let bytes = 0;
  let steps = 0;

  function spend(at: number, count: number): void {
    steps += count;
    if (steps > limits.steps) throw new Mistake(at, `the template took more than ${limits.steps} steps`);
  }

  function read(at: number, chars: number): void {
    spend(at, chars / CHARS_A_STEP.read);
  }

  function write(at: number, text: string): void {
    bytes += Buffer.byteLength(text);
    if (bytes > limits.bytes) throw new Mistake(at, `the body has more than ${limits.bytes} bytes`);
    printed.push(text);
  }

  function all(nodes: Node[], dot: Value): void {
    for (const node of nodes) {
      spend(node.at, 1);
      if (node.kind === "text") write(node.at, node.text);
      else if (node.kind === "action") {
        const value = ofPipe(node.pipe, dot);
        // Every output was passed through an escaper, so it is text.
        if (node.pipe.names.length === 0) write(node.at, value as string);
      } else branch(node, dot);
    }
  }

  function branch(node: Branch, dot: Value): void {
    const outer = variables.length;
    const value = ofPipe(node.pipe, dot);
    if (node.kind === "range") range(node, value, dot);
    else if (isTrue(value)) all(node.body, node.kind === "with" ? value : dot);
    else all(node.otherwise, dot);
    variables.length = outer;
  }

  function range(node: Branch, value: Value, dot: Value): void {
    const inner = variables.length;
    const { names, assigns } = node.pipe;
    let isEmpty = true;
    if (value instanceof GoMap) read(node.at, charsOfKeys(value));
    for (const [key, item] of itemsOf(value, node)) {
      isEmpty = false;
      spend(node.at, 1);
      const values = names.length > 1 ? [key, item] : [item];
      for (const [index, name] of names.entries()) {
        if (assigns) assign(name, values[index], node.at);
        else variables[inner - names.length + index] = { name, value: values[index] };
      }
      all(node.body, item);
      variables.length = inner;
    }
    if (isEmpty) all(node.otherwise, dot);
  }

  function assign(name: string, value: Value, at: number): void {
    variable(name, at).value = value;
  }

  function ofPipe({ at, commands, names, assigns }: Pipe, dot: Value): Value {
    let value: Final = NONE;
    for (const command of commands) {
      // The value in an interface, or nothing.
      value = ofCommand(command, dot, value) ?? undefined;
    }
    const result = value === NONE ? undefined : value;
    for (const name of names) {
      if (assigns) assign(name, result, at);
      else variables.push({ name, value: result });
    }
    return result;
  }

  function ofCommand({ args }: Command, dot: Value, final: Final): Value {
    const [first, ...others] = args;
    if (first.kind === "function") return called(first, others, dot, final);
    const isGiven = others.length > 0 || final !== NONE;
    if (first.kind === "field") return members(dot, first.names, first.at, isGiven);
    if (first.kind === "chain") return members(operand(first.of, dot), first.names, first.at, isGiven);
    if (first.kind === "variable" && first.fields.length > 0)
      return members(variable(first.name, first.at).value, first.fields, first.at, isGiven);
    if (isGiven)
      throw new Mistake(first.at, "this is a value, which takes no arguments: name a function before them");
    if (first.kind === "nil") throw new Mistake(first.at, "nil is not printed: leave it out");
    return operand(first, dot);
  }

  function operand(of: Operand, dot: Value): Value {
    spend(of.at, 1);
    switch (of.kind) {
      case "dot":
        return dot;
      case "nil":
        return undefined;
      case "literal":
        return of.value;
      case "function":
        return called(of, [], dot, NONE);
      case "field":
        return members(dot, of.names, of.at, false);
      case "variable":
        return members(variable(of.name, of.at).value, of.fields, of.at, false);
      case "pipe":
        return ofPipe(of.pipe, dot);
      case "chain":
        return members(operand(of.of, dot), of.names, of.at, false);
    }
  }

  function variable(name: string, at: number): { value: Value } {
    const index = variables.findLastIndex((one) => one.name === name);
    spend(at, (variables.length - index) / VARIABLES_A_STEP);
    const found = variables[index];
    if (!found) throw new Mistake(at, `${name} is not declared here: write ${name} := …`);
    return found;
  }

  function members(holder: Value, names: string[], at: number, isGiven: boolean): Value {
    spend(at, names.length);
    return fieldsOf(holder, names, at, isGiven);
  }

  function called(
    { name, at }: { name: string; at: number },
    args: Operand[],
    dot: Value,
    final: Final,
  ): Value {
    const called = ALL.get(name) as TemplateFunction;
    const count = args.length + (final === NONE ? 0 : 1);
    if (count < called.least || count > called.most)
      throw new Mistake(at, `${name} takes ${countOf(called)}, not ${count}`);
    const values: Value[] = [];
    for (const arg of args) {
      const value = operand(arg, dot);
      if (called.decides !== undefined && isTrue(value) === called.decides) return value;
      values.push(value);
    }
    if (final !== NONE) values.push(final);
    for (const value of values) read(at, charsOf(value));
    const made = attempt(name, at, () => called.call(values, (text) => read(at, text.length)));
    spend(at, charsOf(made) / CHARS_A_STEP.made);
    return made;
  }

  all(nodes, data);
  return printed.join("");
}

/** They are sorted before the first of them is seen. */
const charsOfKeys = ({ members }: GoMap) => members.keys().reduce((sum, key) => sum + key.length, 0);

const charsOf = (value: Value) => (typeof value === "string" ? value.length : 0);

function attempt(name: string, at: number, call: () => Value): Value {
  try {
    return call();
  } catch (thrown) {
    if (thrown instanceof Mistake) throw thrown;
    throw new Mistake(at, `${name} ${(thrown as Error).message}`);
  }
}

function countOf({ least, most }: TemplateFunction): string {
  const count = least === 1 ? "1 argument" : `${least} arguments`;
  return most === least ? count : `${count} or more`;
}

function fieldsOf(start: Value, names: string[], at: number, isGiven: boolean): Value {
  let value = start;
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1;
    // Go does not evaluate members of a missing value, so it does not evaluate their arguments.
    if (value === undefined) return undefined;
    value = fieldOf(value, name, at);
    if (isLast && isGiven) throw new Mistake(at, `.${name} takes no arguments: name a function before it`);
  }
  return value;
}

function fieldOf(holder: Value, name: string, at: number): Value {
  if (holder instanceof GoMap) return holder.members.get(name);
  const found = holder instanceof GoStruct ? holder.field(name) : undefined;
  if (found !== undefined) return found;
  throw new MissingMember(at, `.${name} is not a member of ${holderOf(holder)}`);
}

function holderOf(holder: Value): string {
  if (holder instanceof GoStruct) return `${holder.type}, which has ${holder.names().join(", ")}`;
  if (holder instanceof GoTime || holder instanceof GoDuration)
    return `${typeOf(holder)}: gatehook's templates call no methods`;
  return typeOf(holder);
}

function itemsOf(value: Value, { pipe, at }: Branch): Iterable<[key: Value, item: Value]> {
  if (value === undefined) return [];
  if (value instanceof GoList) return value.items.map((item, index) => [BigInt(index), item]);
  if (value instanceof GoMap) return keysOf(value).map((key) => [key, value.members.get(key) ?? null]);
  const isNumber = typeof value === "bigint" || value instanceof GoDuration;
  if (!isNumber)
    throw new Mistake(
      at,
      `range cannot go through ${typeOf(value)}: only through lists, maps and up to an integer`,
    );
  if (pipe.names.length > 1) throw new Mistake(at, "range up to an integer has one variable only");
  return upTo(value);
}

function* upTo(value: bigint | GoDuration): Generator<[key: Value, item: Value]> {
  const end = value instanceof GoDuration ? value.nanoseconds : value;
  for (let item = 0n; item < end; item += 1n)
    yield [undefined, value instanceof GoDuration ? new GoDuration(item) : item];
}
