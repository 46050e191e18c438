import type { HandlerRef } from "../apis/handler-ref.ts";
import type { EventEnvelope } from "../events/event.ts";
import type { LiveRelease } from "../releases/release.ts";
import { isStorableKey } from "../sessions/limits.ts";

/**
 * Learns which handlers want the session of the event's own key with the batch's first read: those that read it, and
 * those that write any, for what they write is committed by it. A handler that has not run here is taken for one.
 */
export interface Prefetch {
  /** This handler has run. */
  ran(ref: HandlerRef): void;
  /** This handler wants it. */
  learn(ref: HandlerRef): void;
  /** The release that the next `keysFor` asks; what was learnt is kept, for most handlers outlive a release. */
  at(release: LiveRelease): void;
  keysFor(envelopes: EventEnvelope[]): string[];
}

/** Learns per handler name, for as long as the container lives. */
export function createPrefetch(): Prefetch {
  /** Whether they want it, by handler. */
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

/** The key that the event is about; "" for an event without a key. */
export function ownKey({ event }: EventEnvelope): string {
  const { Key } = event.Meta;
  return typeof Key === "string" ? Key : "";
}
