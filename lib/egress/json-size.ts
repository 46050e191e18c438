/** How large a JSON text is, told without decoding it, which takes many times longer and much memory. */
export interface JsonSize {
  /** Values of any kind, and those in them. Of a text that is not JSON, any number. */
  values: number;
  /** Elements of the longest list that is a member of the text's object. */
  elements: number;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [LIST, LIST_END, OBJECT, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Stops counting once there are more elements than `most`. */
export function measureJson(text: string, most: number): JsonSize {
  let depth = 0;
  let values = 1;
  let elements = 0;
  let longest = 0;
  for (let at = 0; at < text.length && longest <= most; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COMMA) {
      values += 1;
      if (depth === 2) elements += 1;
    } else if (code === LIST || code === OBJECT) {
      depth += 1;
      values += 1;
      // The members of an object are not elements; whatever is added to this stays below 0.
      if (depth === 2) elements = code === LIST ? 1 : Number.NEGATIVE_INFINITY;
    } else if (code === LIST_END || code === OBJECT_END) depth -= 1;
    if (elements > longest) longest = elements;
  }
  return { values, elements: longest };
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) break;
  }
  return at;
}
