import { GATEWAY_API } from "../apis/definition.ts";
import { AppError } from "../errors.ts";
import { type EventEnvelope, MESSAGE_BYTES, parseEvent } from "../events/event.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { LiveRelease } from "../releases/release.ts";

export interface IngestDeps {
  /** The live release, or undefined before the first; `fresh` asks the store rather than memory. */
  release: (options: { fresh: boolean }) => Promise<LiveRelease | undefined>;
  /** Resolves once the queue has the message: this text, which is this event. */
  send: (body: string, envelope: EventEnvelope) => Promise<void>;
  newId: () => string;
  /** Whether a gateway owns the sessions: its own events are taken then, whatever the release has. */
  hasGateway: boolean;
  log: Log;
  metrics: Metrics;
}

/** Takes one event for one API onto the queue; it is accepted only when the queue has it. */
export function createIngest(deps: IngestDeps): (apiId: string, body: string) => Promise<EventEnvelope> {
  /** Asks the store only when memory does not know the API, so that the usual event costs no read. */
  async function knows(apiId: string): Promise<boolean> {
    if (deps.hasGateway && apiId === GATEWAY_API) return true;
    for (const fresh of [false, true]) {
      const release = await deps.release({ fresh });
      if (release?.api(apiId)) return true;
    }
    return false;
  }

  return async (apiId, body) => {
    const envelope = parseEvent(withoutScriptTag(body), { apiId, fallbackId: deps.newId() });
    if (envelope.api_id !== apiId) {
      throw new AppError("event-invalid", `api_id is "${envelope.api_id}", but the path says "${apiId}"`, {
        field: "api_id",
      });
    }
    const message = JSON.stringify(envelope).replace(/[\ufffe\uffff]/g, escaped);
    const bytes = Buffer.byteLength(message);
    if (bytes > MESSAGE_BYTES) {
      throw new AppError(
        "event-too-large",
        `the event has ${bytes} bytes; the queue takes ${MESSAGE_BYTES}`,
        { field: "body" },
      );
    }
    if (!(await knows(apiId))) {
      throw new AppError("api-unknown", `api_id "${apiId}" is in no definition of the live release`, {
        field: "api_id",
      });
    }
    await deps.send(message, envelope);
    deps.log.info("event queued", { event_id: envelope.id, api_id: apiId, type: envelope.event.Type });
    deps.metrics.count("EventsAccepted");
    return envelope;
  };
}

const [OPENING, CLOSING] = ["<script>", "</script>"];

/**
 * The gateway's webhook templates write a whole event as JSON only where a page would have a script, so the template
 * for it is `<script>{{.}}</script>`.
 */
function withoutScriptTag(body: string): string {
  const text = body.trim();
  const tagged = text.startsWith(OPENING) && text.endsWith(CLOSING);
  return tagged ? text.slice(OPENING.length, -CLOSING.length) : body;
}

/** Two characters that JSON writes as they are and SQS refuses. */
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16)}`;
