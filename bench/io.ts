// npm run bench:io: the wall time of batches of ten events whose handlers make one HTTP call of 100 ms each, by the
// number of workers, compared with a batch of one such event in the same container.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Container, startContainer } from "./shared/container.ts";
import { inTurns, median, ratioOf, rounded } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";
import { openPlace } from "./shared/place.ts";
import { definition, keysOf, SESSIONS } from "./shared/samples.ts";

const CALL_MS = 100;
const BATCH = 10;
const WORKERS = [1, 2, 4, 8, 10, 16];
const ROUNDS = 5;

export interface IoResult {
  rows: { workers: number; batch_ms: number; one_ms: number; ratio: number }[];
}

const handlers = (origin: string) => [
  definition("demo", "fetcher", "fetcher.js"),
  {
    path: "handlers/fetcher.js",
    text: `var fetcher = new TykJS.TykEventHandlers.NewEventHandler({});
fetcher.NewHandler(function (event, context) {
  var answer = JSON.parse(TykMakeHttpRequest(JSON.stringify({ Method: "GET", Domain: "${origin}", Resource: "/" })));
  if (answer.Code !== 200) throw new Error("answered " + answer.Code);
});
`,
  },
];

async function startServer() {
  const server = createServer((_request, response) => {
    setTimeout(() => response.end("done"), CALL_MS);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, origin: `http://127.0.0.1:${port}` };
}

async function measure({ quick }: { quick: boolean }): Promise<IoResult> {
  const { server, origin } = await startServer();
  const place = await openPlace();
  const containers: Container[] = [];
  try {
    const { env, putSessions } = await place.space(handlers(origin));
    await putSessions(keysOf("k", BATCH), SESSIONS["250 B"]);
    const rows: IoResult["rows"] = [];
    for (const workers of WORKERS) {
      const container = await startContainer("gatehook", {
        ...env,
        HTTP_ALLOW_HOSTS: "127.0.0.1",
        RUNTIME_ISOLATION: "event",
        RUNTIME_WORKERS: String(workers),
      });
      containers.push(container);
      const slice = { prefix: "k", keys: BATCH };
      const sides = {
        ten: () => container.run({ ...slice, batch: BATCH, batches: 1 }),
        one: () => container.run({ ...slice, batch: 1, batches: 1 }),
      };
      const taken = await inTurns(sides, quick ? 1 : ROUNDS);
      const [ten, one] = [taken.ten, taken.one].map((turns) => turns.map(({ wallMs }) => wallMs));
      rows.push({
        workers,
        batch_ms: rounded(median(ten ?? [])),
        one_ms: rounded(median(one ?? [])),
        ratio: ratioOf(ten ?? [], one ?? []),
      });
      await containers.pop()?.close();
    }
    return { rows };
  } finally {
    await Promise.all(containers.map((container) => container.close()));
    await place.close();
    server.close();
    server.closeAllConnections();
  }
}

export const io: Part<IoResult> = {
  name: "io",
  measure,
  tables: ({ rows }) => [
    {
      title: "A batch of ten events with one HTTP call of 100 ms each",
      heads: ["workers", "batch of ten, ms", "batch of one, ms", "times as long"],
      rows: rows.map((row) => Object.values(row)),
    },
  ],
};

if (import.meta.main) await runPart(io);
