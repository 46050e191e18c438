import type { HandlerRef } from "../apis/handler-ref.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { Coalesce } from "../webhooks/definition.ts";
import type { OwnHandler } from "../webhooks/own-handlers.ts";

/** A handler of an event, with its name in the ledger. */
export type Entry = { entry: string; coalesce?: Coalesce } & ({ ref: HandlerRef } | { own: OwnHandler });

/** Webhooks and log handlers, then scripts in the order in which they run. */
export const entriesFor = (release: LiveRelease, apiId: string, type: string): Entry[] => [
  ...release.own(apiId, type).map((own) => ({ entry: own.entry, own, ...coalesceOf(own) })),
  ...numbered(release.handlers(apiId, type)),
];

/** Their names in the ledger: an API may name a handler twice, and the gateway then runs it twice. */
function numbered(refs: HandlerRef[]): Entry[] {
  const seen = new Map<string, number>();
  return refs.map((ref) => {
    const nth = (seen.get(ref.name) ?? 0) + 1;
    seen.set(ref.name, nth);
    return { ref, entry: nth === 1 ? ref.name : `${ref.name}#${nth}`, ...coalesceOf(ref) };
  });
}

const coalesceOf = ({ coalesce }: { coalesce?: Coalesce }) => (coalesce ? { coalesce } : {});
