import type { EventEnvelope } from "../../lib/events/event.ts";
import { createRedact } from "../../lib/events/redact.ts";
import type { HttpRequest } from "../../lib/ingest/http.ts";
import { createIngest, type IngestDeps } from "../../lib/ingest/ingest.ts";
import type { Answer } from "../../lib/ingest/take.ts";
import { openRelease, type Release } from "../../lib/releases/release.ts";
import { createTally } from "./metrics.ts";

export const releaseOf = (...apiIds: string[]): Release => ({
  format: 1,
  apis: apiIds.map((api_id) => ({ api_id, org_id: "", name: "", handlers: {} })),
  scripts: [],
});

export type TestIngest = ReturnType<typeof setUpIngest>;

/** Ingest with a queue in memory; `demo` and `constructor` are its APIs. */
export function setUpIngest(deps: Partial<IngestDeps> = {}) {
  const queue: string[] = [];
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const asked: boolean[] = [];
  let ids = 0;
  const write = (level: string) => (message: string, fields: Record<string, unknown>) =>
    void lines.push({ level, message, fields });
  const { tally, metrics } = createTally();
  const release = openRelease("v1", releaseOf("demo", "constructor"));
  const ask = createIngest({
    checkToken: () => {},
    async release({ fresh }) {
      asked.push(fresh);
      return release;
    },
    async send(messages) {
      queue.push(...messages.map(({ body }) => body));
      return new Map();
    },
    newId() {
      ids += 1;
      return `new-${ids}`;
    },
    redact: createRedact([]),
    oversize: "trim",
    hasGateway: false,
    log: { info: write("info"), warn: write("warn"), error: write("error") },
    metrics,
    ...deps,
  });
  const post = (apiId: string, body: string, more: Partial<HttpRequest> = {}): Promise<Answer> =>
    ask({ method: "POST", path: `/events/${apiId}`, apiId, headers: {}, body, ...more });
  return {
    post,
    queue,
    asked,
    lines,
    tally,
    /** The messages in the queue. */
    queued: () => queue.map((body) => JSON.parse(body) as EventEnvelope),
  };
}
