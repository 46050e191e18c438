/** The deepest that the gateway's own configuration has a secret, and some more. */
const DEPTH = 6;
const SECRET = /secret|password|private_?key|api_?key/i;
/** Its webhooks may have header values that are secrets: those belong to the handlers. */
const HANDLERS = "event_handlers";

/** The first member of the gateway's whole configuration that holds one of its secrets; undefined where none does. */
export function secretMember(config: Record<string, unknown>): string | undefined {
  const others = Object.entries(config).filter(([name]) => name.toLowerCase() !== HANDLERS);
  return secretIn(others, "", DEPTH);
}

function secretIn(members: [name: string, value: unknown][], at: string, depth: number): string | undefined {
  for (const [name, value] of members) {
    const member = at ? `${at}.${name}` : name;
    const isHolder = typeof value === "object" && value !== null;
    const inner = isHolder ? Object.entries(value) : [];
    if (SECRET.test(name) && (inner.length > 0 || (typeof value === "string" && value !== ""))) return member;
    const found = depth > 0 ? secretIn(inner, member, depth - 1) : undefined;
    if (found) return found;
  }
  return undefined;
}
