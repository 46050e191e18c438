import { GATEWAY_API } from "../apis/definition.ts";
import { AppError } from "../errors.ts";
import { envelopeOf } from "../events/event.ts";
import type { Form, Reading } from "../events/forms/form.ts";
import { inItem } from "../events/invalid.ts";
import { type Message, messageOf, type Oversize } from "../events/message.ts";
import type { Redact } from "../events/redact.ts";
import type { Send } from "../events/send.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { LiveRelease } from "../releases/release.ts";
import { apiOf, type HttpRequest, readRequest } from "./http.ts";
import type { TokenCheck } from "./token.ts";

export interface IngestDeps {
  checkToken: TokenCheck;
  /** The live release, or undefined before the first; `fresh` asks the store rather than memory. */
  release: (options: { fresh: boolean }) => Promise<LiveRelease | undefined>;
  send: Send;
  newId: () => string;
  redact: Redact;
  oversize: Oversize;
  /** Whether a gateway owns the sessions: its own events are taken then, whatever the release has. */
  hasGateway: boolean;
  log: Log;
  metrics: Metrics;
}

/** An HTTP answer. */
export interface Answer {
  status: number;
  body: unknown;
}

/** An event that is fit for the queue. */
interface Taken extends Message {
  form: Form;
}

const TEMPLATE = "the template <script>{{.}}</script> in the gateway's webhook sends every event whole";

/** Takes the events of one request for one API onto the queue: 202 only when the queue has them all. */
export function createIngest(deps: IngestDeps): (request: HttpRequest) => Promise<Answer> {
  const { log, metrics } = deps;

  function take(reading: Reading, apiId: string): Taken {
    const envelope = envelopeOf(reading, { apiId, fallbackId: deps.newId() });
    if (envelope.api_id !== apiId) {
      throw new AppError("event-invalid", `api_id is "${envelope.api_id}", but the path says "${apiId}"`, {
        field: "api_id",
      });
    }
    const redacted = { ...envelope, event: deps.redact(envelope.event) };
    return { ...messageOf(redacted, deps.oversize), form: reading.form };
  }

  /** Asks the store only when memory does not know the API, so that the usual event costs no read. */
  async function checkApi(apiId: string): Promise<void> {
    if (deps.hasGateway && apiId === GATEWAY_API) return;
    let release: LiveRelease | undefined;
    for (const fresh of [false, true]) {
      release = await deps.release({ fresh });
      if (release?.api(apiId)) return;
    }
    throw new AppError("api-unknown", `${unknownApi(apiId)}${meant(apiId, release)}`, { field: "api_id" });
  }

  function tell(taken: Taken): void {
    const { envelope, form, trimmed } = taken;
    const facts = { event_id: envelope.id, api_id: envelope.api_id, type: envelope.event.Type };
    log.info("event queued", { ...facts, form });
    metrics.count("EventsAccepted");
    if (!trimmed) return;
    log.warn("event trimmed: it was too large for the queue with its OriginatingRequest", facts);
    metrics.count("EventsTrimmed");
  }

  async function accept(apiId: string, request: HttpRequest): Promise<Answer> {
    const { readings, many } = readRequest(request);
    const taken = readings.map((reading, index) =>
      many ? inItem(index, () => take(reading, apiId)) : take(reading, apiId),
    );
    await checkApi(apiId);
    const failed = await deps.send(taken);
    for (const each of taken) if (!failed.has(each)) tell(each);
    const [first] = taken;
    if (many) return answerToMany(taken, failed);
    const error = first && failed.get(first);
    if (error !== undefined) throw new AppError("queue-failed", error);
    return { status: 202, body: first && factsOf(first) };
  }

  function answerToMany(taken: Taken[], failed: Map<Message, string>): Answer {
    if (failed.size === 0) return { status: 202, body: { events: taken.map(factsOf) } };
    const events = taken.map((each) => ({ ...factsOf(each), queued: !failed.has(each) }));
    const code = "queue-failed";
    const message = `the queue did not take ${failed.size} of ${taken.length} events: send those again, each with its id`;
    log.error("events not queued", { events: failed.size, error: [...failed.values()][0] });
    metrics.countBy("EventsRefused", code);
    return { status: new AppError(code, message).status, body: { error: { code, message }, events } };
  }

  return async (request) => {
    deps.checkToken(request.headers.authorization);
    try {
      return await accept(apiOf(request), request);
    } catch (thrown) {
      if (!(thrown instanceof AppError) || thrown.status >= 500) throw thrown;
      const { code, field, message } = thrown;
      // The gateway's own log has the status alone.
      log.warn("event refused", { api_id: request.apiId, code, field, error: message });
      throw code === "event-invalid" ? withTemplate(thrown) : thrown;
    }
  };
}

function factsOf({ envelope, form }: Taken) {
  const { id, api_id, event } = envelope;
  return { id, api_id, type: event.Type, form, ...(event.Partial && { partial: event.Partial }) };
}

function withTemplate({ code, message, field = "body" }: AppError): AppError {
  return new AppError(code, `${message}. For a gateway: ${TEMPLATE} (docs/events.md)`, { field });
}

const unknownApi = (apiId: string) =>
  apiId === GATEWAY_API
    ? "gateway.json, which names the handlers of the gateway's own events, is missing in the live release"
    : `api_id "${apiId}" is in no definition of the live release`;

function meant(apiId: string, release: LiveRelease | undefined): string {
  const near = release?.nearestApi(apiId);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}
