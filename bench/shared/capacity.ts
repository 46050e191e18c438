// A proxy in front of the DynamoDB engine that asks for the consumed capacity of each call, whoever makes it.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ConsumedCapacity } from "@aws-sdk/client-dynamodb";

export interface Capacity {
  read: number;
  write: number;
}

export interface CapacityProxy {
  endpoint: string;
  /** What was consumed since it was last taken. */
  take(): Capacity;
  close(): Promise<void>;
}

const READS = /\.(?:BatchGetItem|GetItem|Query|Scan|TransactGetItems)$/;

export async function startCapacityProxy(engine: string): Promise<CapacityProxy> {
  let used: Capacity = { read: 0, write: 0 };
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const action = String(request.headers["x-amz-target"]);
    const given = JSON.parse(Buffer.concat(parts).toString());
    const answer = await fetch(engine, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": action,
        authorization: String(request.headers.authorization),
        "x-amz-date": String(request.headers["x-amz-date"]),
      },
      body: JSON.stringify({ ...given, ReturnConsumedCapacity: "TOTAL" }),
    });
    const text = await answer.text();
    const { ConsumedCapacity: consumed = [] } = JSON.parse(text) as { ConsumedCapacity?: ConsumedCapacity };
    for (const { CapacityUnits = 0 } of [consumed].flat() as ConsumedCapacity[])
      used[READS.test(action) ? "read" : "write"] += CapacityUnits;
    response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.0" }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = used;
      used = { read: 0, write: 0 };
      return taken;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
