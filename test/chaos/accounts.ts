import type { LogLine } from "../../cli/dev/log-lines.ts";
import { type ChaosEvent, effectOf } from "./workload.ts";

/** The known results of each event during the chaos. */
export interface Accounts {
  readonly sent: number;
  readonly accounted: number;
  /** Deliveries of an event beyond its first. */
  readonly duplicates: number;
  /** Events that were sent and have no known result yet, the oldest first. */
  outstanding(): ChaosEvent[];
  send(event: ChaosEvent): void;
  deliver(bodies: string[]): void;
  /** The effects that an event's own session shows. */
  see(event: ChaosEvent, effects: string[]): void;
  bury(body: string, reason: string): void;
  note(fact: LogLine): void;
  /** Reasons of the dead letters, by event: one for each letter. */
  reasons: Map<string, string[]>;
  /** The last log lines about an event without a known result. */
  lastFacts(id: string): string;
}

const KEPT_FACTS = 3;

export function createAccounts(events: ChaosEvent[]): Accounts {
  const byBody = new Map(events.map((event) => [event.body, event]));
  const open = new Map<string, ChaosEvent>();
  const deliveries = new Map<string, number>();
  const facts = new Map<string, string[]>();
  const reasons = new Map<string, string[]>();
  const sent = new Set<string>();
  let duplicates = 0;

  function close(id: string): void {
    open.delete(id);
    facts.delete(id);
  }

  return {
    reasons,
    get sent() {
      return sent.size;
    },
    get accounted() {
      return sent.size - open.size;
    },
    get duplicates() {
      return duplicates;
    },
    outstanding: () => [...open.values()],
    send(event) {
      if (sent.has(event.id)) return;
      sent.add(event.id);
      open.set(event.id, event);
    },
    deliver(bodies) {
      for (const body of bodies) {
        const id = byBody.get(body)?.id ?? body;
        const times = deliveries.get(id) ?? 0;
        deliveries.set(id, times + 1);
        if (times > 0) duplicates += 1;
      }
    },
    see({ id, effects, deadLetter }, shown) {
      const done = effects.every(({ handler }) => shown.includes(effectOf(id, handler)));
      if (done && deadLetter === undefined) close(id);
    },
    bury(body, reason) {
      const id = byBody.get(body)?.id ?? body;
      reasons.set(id, [...(reasons.get(id) ?? []), reason]);
      close(id);
    },
    note({ message, fields }) {
      const id = String(fields.event_id);
      if (!open.has(id)) return;
      const { handler, code, reason, error, text: said } = fields;
      const text = [message, handler, code ?? reason, error ?? said].filter(Boolean).join(" · ");
      facts.set(id, [...(facts.get(id) ?? []), text].slice(-KEPT_FACTS));
    },
    lastFacts: (id) =>
      `delivered ${deliveries.get(id) ?? 0} times; last heard: ${facts.get(id)?.join("; ") ?? "nothing"}`,
  };
}
