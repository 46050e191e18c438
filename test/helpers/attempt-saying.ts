import type { AttemptRecord } from "../../lib/history/records.ts";

/**
 * A failed attempt whose texts and names are all `text`, except for its key, its error and its log line, which are
 * `said`.
 */
export function attemptSaying(text: string, said = text): AttemptRecord {
  return {
    id: text,
    api_id: text,
    n: 1,
    at: "2026-12-24T00:00:00.000Z",
    ms: 1,
    container: "c",
    isolation: "global",
    release: text,
    outcome: "failed",
    reason: "handler-threw",
    error: said,
    event: {
      Type: text,
      Meta: { Key: said, [text]: text, OriginatingRequest: Buffer.from(text).toString("base64") },
      TimeStamp: text,
    },
    runs: [
      {
        handler: text,
        path: text,
        context: { [text]: text },
        timeout_ms: 1,
        ms: 1,
        outcome: "failed",
        reason: "handler-threw",
        error: `${said}\n    at ${text} (fails.js:1:1)`,
        calls: [
          {
            i: 0,
            name: "getKeyData",
            args: [text],
            answer: JSON.stringify({ [text]: text }),
            t: 1,
            ms: 1,
          },
          {
            i: 1,
            name: "makeHttpRequest",
            args: [
              JSON.stringify({
                Method: text,
                Domain: text,
                Headers: { [text]: text },
                Body: text,
              }),
            ],
            answer: JSON.stringify({
              Code: text,
              Headers: { [text]: [text] },
              Body: JSON.stringify({ [text]: text }),
            }),
            t: 1,
            ms: 1,
          },
          {
            i: 2,
            name: "batchRequest",
            args: [JSON.stringify({ requests: [{ relative_url: text }] })],
            t: 1,
            ms: 1,
          },
          {
            i: 3,
            name: "storage",
            args: ["get", text],
            answer: JSON.stringify({ error: text }),
            t: 1,
            ms: 1,
          },
        ],
        logs: [{ i: 4, level: "error", text: said }],
        writes: [
          {
            i: 5,
            key: text,
            before: JSON.stringify({ [text]: text }),
            after: JSON.stringify({ alias: text }),
          },
        ],
      },
    ],
  };
}
