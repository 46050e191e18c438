import { GATEWAY_API } from "../apis/definition.ts";
import { AppError } from "../errors.ts";
import type { Message } from "../events/message.ts";
import type { Send } from "../events/send.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { LiveRelease } from "../releases/release.ts";
import { apiOf, type HttpRequest } from "./http.ts";
import {
  type Answer,
  accepted,
  createTake,
  factsOf,
  rejectionOf,
  type TakeDeps,
  type Taken,
} from "./take.ts";
import type { TokenCheck } from "./token.ts";

/** The dependencies of ingest, in addition to those for reading a request. */
export interface IngestDeps extends TakeDeps {
  checkToken: TokenCheck;
  /** The live release, or undefined before the first; `fresh` asks the store rather than memory. */
  release: (options: { fresh: boolean }) => Promise<LiveRelease | undefined>;
  send: Send;
  /** Whether a gateway owns the sessions: then its own events are accepted even without a handler. */
  hasGateway: boolean;
  log: Log;
  metrics: Metrics;
}

/** Sends the events of one request for one API to the queue: 202 only if the queue has all of them. */
export function createIngest(deps: IngestDeps): (request: HttpRequest) => Promise<Answer> {
  const { log, metrics } = deps;

  const take = createTake(deps);

  /** Reads the store only if the API is not in memory, so that most events cost no read. */
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
    const { taken, many } = take(apiId, request);
    await checkApi(apiId);
    const failed = await deps.send(taken);
    for (const each of taken) if (!failed.has(each)) tell(each);
    const [first] = taken;
    const error = first && failed.get(first);
    if (error === undefined && failed.size === 0) return accepted(taken, many);
    if (many) return answerToSome(taken, failed);
    throw new AppError("queue-failed", error ?? "");
  }

  function answerToSome(taken: Taken[], failed: Map<Message, string>): Answer {
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
      throw rejectionOf(thrown, request, log);
    }
  };
}

const unknownApi = (apiId: string) =>
  apiId === GATEWAY_API
    ? "gateway.json, which names the handlers of the gateway's own events, is missing in the live release"
    : `api_id "${apiId}" is in no definition of the live release`;

function meant(apiId: string, release: LiveRelease | undefined): string {
  const near = release?.nearestApi(apiId);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}
