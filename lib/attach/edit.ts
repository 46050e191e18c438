import { applyEdits, type Edit, type FormattingOptions, type Node } from "jsonc-parser";

/** The members of an object that the gateway reads as this one: it compares names case-insensitively. */
export const membersNamed = (node: Node | undefined, name: string): Node[] =>
  membersOf(node).flatMap(([found, value]) => (found.toLowerCase() === name.toLowerCase() ? value : []));

/** In the order of the text, including duplicate names; empty for anything but an object. */
export const membersOf = (node: Node | undefined): [name: string, value: Node][] =>
  node?.type !== "object"
    ? []
    : (node.children ?? []).flatMap(({ children: [name, value] = [] }) =>
        name && value ? [[String(name.value), value] as [string, Node]] : [],
      );

/** The edits that replace items of a list. Unchanged items keep their text, byte for byte. */
export function listEdits<T extends object>(text: string, node: Node, change: (items: T[]) => T[]): Edit[] {
  const written = new Map<object, string>();
  const items = (node.children ?? []).map((child) => {
    const slice = sliceOf(text, child);
    const value: unknown = JSON.parse(slice);
    // Anything but an object is not a handler, and is kept.
    const item = (typeof value === "object" && value !== null ? value : { value }) as T;
    written.set(item, slice);
    return item;
  });
  const changed = change(items);
  if (changed.length === items.length && changed.every((item, at) => item === items[at])) return [];
  const style = styleOf(text);
  const indent = lineIndent(text, node.offset);
  const inner = indent + style.unit;
  const texts = changed.map(
    (item) => written.get(item) ?? JSON.stringify(item, undefined, style.unit).replaceAll("\n", `\n${inner}`),
  );
  const content = !style.unit || texts.length === 0 ? `[${texts}]` : block(texts, inner, indent);
  return [{ offset: node.offset, length: node.length, content }];
}

const sliceOf = (text: string, { offset, length }: Node) => text.slice(offset, offset + length);

/** The value of a node. `T` is not checked. */
export const readNode = <T>(text: string, node: Node) => JSON.parse(sliceOf(text, node)) as T;

const block = (texts: string[], inner: string, indent: string) =>
  `[\n${texts.map((each) => inner + each).join(",\n")}\n${indent}]`;

/** The text after these edits, which must not overlap. */
export const edited = (text: string, edits: Edit[]): string =>
  edits.length > 0 ? applyEdits(text, edits) : text;

/** The indentation of one level of a text; "" if the text is a single line. */
const styleOf = (text: string) => ({ unit: /^[ \t]+(?=\S)/m.exec(text)?.[0] ?? "" });

const lineIndent = (text: string, offset: number) =>
  /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset))?.[0] ?? "";

/** The text's own indentation, for `modify`. */
export function formattingOf(text: string): FormattingOptions | undefined {
  const { unit } = styleOf(text);
  if (!unit) return undefined;
  return unit.startsWith("\t") ? { insertSpaces: false } : { insertSpaces: true, tabSize: unit.length };
}
