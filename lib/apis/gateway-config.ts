/** The maximum depth of the search: more than that of any secret in the gateway's own configuration. */
const DEPTH = 6;
const SECRET = /secret|password|private_?key|api_?key/i;
/** Secret header values of its webhooks are allowed: they belong to the handlers. */
const HANDLERS = "event_handlers";

/**
 * The first member of the gateway's whole configuration that contains one of its secrets; undefined if there is none.
 */
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
