import { AppError } from "../errors.ts";
import { envelopeOf } from "../events/event.ts";
import type { Form, Reading } from "../events/forms/form.ts";
import { inItem } from "../events/invalid.ts";
import { type Message, messageOf, type Oversize } from "../events/message.ts";
import type { Redact } from "../events/redact.ts";
import type { Log } from "../log.ts";
import { type HttpRequest, readRequest } from "./http.ts";

/** What is done to each event before it is sent. */
export interface TakeDeps {
  newId: () => string;
  redact: Redact;
  oversize: Oversize;
}

/** An HTTP answer. */
export interface Answer {
  status: number;
  body: unknown;
}

/** An event in a form that the queue accepts. */
export interface Taken extends Message {
  form: Form;
}

/** Reads the events of a request for one API. Throws `event-invalid` and `event-too-large` with the place at fault. */
export function createTake(
  deps: TakeDeps,
): (apiId: string, request: HttpRequest) => { taken: Taken[]; many: boolean } {
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

  return (apiId, request) => {
    const { readings, many } = readRequest(request);
    const taken = readings.map((reading, index) =>
      many ? inItem(index, () => take(reading, apiId)) : take(reading, apiId),
    );
    return { taken, many };
  };
}

/** The answer after all events of a request are stored. */
export function accepted(taken: Taken[], many: boolean): Answer {
  const [first] = taken;
  return { status: 202, body: many ? { events: taken.map(factsOf) } : first && factsOf(first) };
}

/** An event in the answer to a request; `partial`: the members that its form does not have. */
export function factsOf({ envelope, form }: Taken) {
  const { id, api_id, event } = envelope;
  return { id, api_id, type: event.Type, form, ...(event.Partial && { partial: event.Partial }) };
}

const TEMPLATE = "the template <script>{{.}}</script> in the gateway's webhook sends every event whole";

/** The error for a request that failed: a rejection is logged, and says which template to use. */
export function rejectionOf(thrown: unknown, { apiId }: Pick<HttpRequest, "apiId">, log: Log): unknown {
  if (!(thrown instanceof AppError) || thrown.status >= 500) return thrown;
  const { code, field, message } = thrown;
  // The gateway's own log has only the status.
  log.warn("event refused", { api_id: apiId, code, field, error: message });
  return code === "event-invalid" ? withTemplate(thrown) : thrown;
}

function withTemplate({ code, message, field = "body" }: AppError): AppError {
  return new AppError(code, `${message}. For a gateway: ${TEMPLATE} (docs/events.md)`, { field });
}
