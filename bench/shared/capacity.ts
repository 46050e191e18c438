// A proxy in front of the DynamoDB engine that requests the consumed capacity of each call, from any client.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ConsumedCapacity } from "@aws-sdk/client-dynamodb";

export interface Capacity {
  read: number;
  write: number;
  /** The same write units by table, or by table and index. */
  writes: Map<string, number>;
}

const nothing = (): Capacity => ({ read: 0, write: 0, writes: new Map() });

export interface CapacityProxy {
  endpoint: string;
  /** Returns the units since its last call. */
  take(): Capacity;
  close(): Promise<void>;
}

const READS = /\.(?:BatchGetItem|GetItem|Query|Scan|TransactGetItems)$/;

function add(used: Capacity, consumed: ConsumedCapacity, isRead: boolean): void {
  const { TableName = "", CapacityUnits = 0, Table, GlobalSecondaryIndexes = {} } = consumed;
  if (isRead) {
    used.read += CapacityUnits;
    return;
  }
  used.write += CapacityUnits;
  const count = (name: string, units = 0) => used.writes.set(name, (used.writes.get(name) ?? 0) + units);
  count(TableName, Table?.CapacityUnits);
  for (const [index, { CapacityUnits: units }] of Object.entries(GlobalSecondaryIndexes))
    count(`${TableName} ${index}`, units);
}

export async function startCapacityProxy(engine: string): Promise<CapacityProxy> {
  let used = nothing();
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
      body: JSON.stringify({ ...given, ReturnConsumedCapacity: "INDEXES" }),
    });
    const text = await answer.text();
    const { ConsumedCapacity: consumed = [] } = JSON.parse(text) as { ConsumedCapacity?: ConsumedCapacity };
    for (const one of [consumed].flat()) add(used, one, READS.test(action));
    response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.0" }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = used;
      used = nothing();
      return taken;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
