import type { Readable } from "node:stream";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { Clients } from "../../local/resources.ts";

/** A client whose calls take effect, but the first answer to each of them is lost. */
export interface LosingAnswers {
  dynamo: DynamoDBDocumentClient;
  /** The operations whose answers were lost. */
  lost: string[];
  /** Called when a call has taken effect, before its answer is lost. */
  onLost: () => Promise<unknown>;
  /** All later answers arrive. */
  stop(): void;
}

export async function losingAnswers({ dynamo }: Clients): Promise<LosingAnswers> {
  const { config } = dynamo;
  const { protocol, hostname, port } = (await config.endpoint?.()) ?? { protocol: "", hostname: "" };
  const inner = config.requestHandler;
  let losing = true;
  const losingClient = new DynamoDBClient({
    region: config.region,
    credentials: config.credentials,
    endpoint: `${protocol}//${hostname}:${port}`,
    requestHandler: {
      handle: async (request: Parameters<typeof inner.handle>[0]) => {
        const answer = await inner.handle(request);
        const { "amz-sdk-request": attempt = "", "x-amz-target": target = "" } = request.headers;
        if (!losing || !attempt.startsWith("attempt=1;")) return answer;
        (answer.response.body as Readable).resume(); // else its connection would stay taken
        it.lost.push(target.split(".")[1] ?? "");
        await it.onLost();
        throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
      },
    },
  });
  const it: LosingAnswers = {
    dynamo: DynamoDBDocumentClient.from(losingClient),
    lost: [],
    onLost: async () => {},
    stop() {
      losing = false;
    },
  };
  return it;
}
