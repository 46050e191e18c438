import type { HandlerRef } from "../apis/handler-ref.ts";
import type { EventEnvelope } from "../events/event.ts";
import type { LiveRelease } from "../releases/release.ts";
import { isStorableKey } from "../sessions/limits.ts";

/**
 * Learns which handlers need the session of the event's own key in the batch's first read: those that read it, and
 * those that write any session, because the commit needs the home. A handler that has not run here yet is assumed to
 * need it.
 */
export interface Prefetch {
  /** Records that this handler has run. */
  ran(ref: HandlerRef): void;
  /** Records that this handler needs it. */
  learn(ref: HandlerRef): void;
  /**
   * The release that the next `keysFor` uses; the learned data is kept, since most handlers are the same in the next
   * release.
   */
  at(release: LiveRelease): void;
  keysFor(envelopes: EventEnvelope[]): string[];
}

/** Learns by handler name, as long as the container exists. */
export function createPrefetch(): Prefetch {
  /** Whether they need it, by handler. */
  const handlers = new Map<string, boolean>();
  let live: LiveRelease | undefined;
  const isAsked = ({ api_id, event }: EventEnvelope) =>
    live?.handlers(api_id, event.Type).some(({ name }) => handlers.get(name) ?? true) ?? true;
  return {
    learn: ({ name }) => void handlers.set(name, true),
    ran({ name }) {
      if (!handlers.has(name)) handlers.set(name, false);
    },
    at(release) {
      live = release;
    },
    keysFor(envelopes) {
      const keys = envelopes.flatMap((envelope) => {
        const key = ownKey(envelope);
        return isStorableKey(key) && isAsked(envelope) ? [key] : [];
      });
      return [...new Set(keys)];
    },
  };
}

/** The key of the event; "" if it has none. */
export function ownKey({ event }: EventEnvelope): string {
  const { Key } = event.Meta;
  return typeof Key === "string" ? Key : "";
}
