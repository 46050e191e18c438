/** A handler object that a script makes, and where. */
export interface Definition {
  name: string;
  line: number;
}

const BLANKS =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|\/(?<=(?:^|[=(,:[!&|?{};+\-*%~^<>]|\breturn|\btypeof|\bcase)\s*\/)(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/g;

/** The script with its comments, texts and regular expressions blanked, so that what is found is code. */
export function codeOnly(source: string): string {
  return source.replace(BLANKS, (found) => found.replace(/[^\n]/g, " "));
}

const HANDLER =
  /([\p{ID_Start}$_][\p{ID_Continue}$.]*)\s*=\s*new\s+[\p{ID_Continue}$.]*\bNewEventHandler\b/gu;

/** As far as the text shows it: good enough for a warning, not for an error. */
export function definedHandlers(source: string): Definition[] {
  const code = codeOnly(source);
  return [...code.matchAll(HANDLER)].map(({ 1: name = "", index }) => ({ name, line: lineAt(code, index) }));
}

export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}
