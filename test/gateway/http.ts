import { request as open } from "node:http";
import type { GatewayRequest } from "./model.ts";

/** Sends a request with its path as it stands: what knows better makes `/b` of `/a/../b`. */
export async function sendRequest(
  origin: URL,
  { method, path, headers, body }: GatewayRequest,
): Promise<{ status: number; body: string }> {
  const { hostname, port } = origin;
  return new Promise((resolve, reject) => {
    const request = open({ hostname, port, method, path, ...(headers && { headers }), agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      response
        .toArray()
        .then(
          (chunks) => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
          reject,
        );
    });
    request.end(body);
  });
}
