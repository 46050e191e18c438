import type { HandlerRef } from "../apis/definition.ts";
import type { EventEnvelope } from "../events/event.ts";
import type { LiveRelease } from "../releases/release.ts";
import { isStorableKey } from "../sessions/limits.ts";

/** Learns which handlers read the event's own key, so that its session comes with the batch's first read. */
export interface Prefetch {
  learn(envelope: EventEnvelope, ref: HandlerRef, readKey: string): void;
  /** The release that the next `keysFor` asks; what was learnt is kept, for most handlers outlive a release. */
  at(release: LiveRelease): void;
  keysFor(envelopes: EventEnvelope[]): string[];
}

export function createPrefetch(): Prefetch {
  const readers = new Set<string>();
  let live: LiveRelease | undefined;
  return {
    learn(envelope, ref, readKey) {
      if (readKey === ownKey(envelope)) readers.add(ref.name);
    },
    at(release) {
      live = release;
    },
    keysFor(envelopes) {
      const keys = envelopes.flatMap((envelope) => {
        const refs = live?.handlers(envelope.api_id, envelope.event.Type) ?? [];
        const key = ownKey(envelope);
        return isStorableKey(key) && refs.some(({ name }) => readers.has(name)) ? [key] : [];
      });
      return [...new Set(keys)];
    },
  };
}

/** The key that the event is about; "" where it is about none. */
export function ownKey({ event }: EventEnvelope): string {
  const { Key } = event.Meta;
  return typeof Key === "string" ? Key : "";
}
