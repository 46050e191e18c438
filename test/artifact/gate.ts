import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Access, type AwsRequest, accessesOf, type ServiceName, serviceOf } from "./access.ts";
import { covers, type Grant } from "./policy.ts";

/** Stands between one function and its services, as IAM does: what the role does not allow is denied. */
export interface Gate {
  url: string;
  /** Everything that was asked for, allowed or not. */
  asked: Access[];
  /** Actions that are denied although the role allows them. */
  deny: Set<string>;
  close(): Promise<void>;
}

export async function startGate(options: {
  grants: Grant[];
  /** Where the services really are. */
  upstream: Record<ServiceName, string>;
  arnPrefix: (service: string) => string;
}): Promise<Gate> {
  const asked: Access[] = [];
  const deny = new Set<string>();
  const allowed = (access: Access) =>
    !deny.has(access.action) && options.grants.some((grant) => covers(grant, access));

  async function pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { method = "", url = "", headers } = incoming;
    const request: AwsRequest = { method, url, headers, body: body.toString() };
    const accesses = accessesOf(request, options.arnPrefix);
    asked.push(...accesses);
    const denied = accesses.find((access) => !allowed(access));
    if (denied) return refuse(response, denied, serviceOf(request));
    const target = new URL(url, options.upstream[serviceOf(request)]);
    const outgoing = httpRequest(target, { method, headers: { ...headers, host: target.host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", (error) => response.destroy(error));
    outgoing.end(body);
  }

  const server = createServer((incoming, response) => {
    pass(incoming, response).catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    deny,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As AWS words it, each service in its protocol. */
function refuse(response: ServerResponse, { action, resource }: Access, service: ServiceName): void {
  const message =
    `User: arn:aws:sts::000000000000:assumed-role/role/function is not authorized to perform: ${action} ` +
    `on resource: ${resource} because no identity-based policy allows the ${action} action`;
  if (service === "S3") {
    const xml = `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>${message}</Message></Error>`;
    response.writeHead(403, { "content-type": "application/xml" }).end(xml);
    return;
  }
  const type = "com.amazon.coral.service#AccessDeniedException";
  response
    .writeHead(service === "DYNAMODB" ? 400 : 403, { "content-type": "application/x-amz-json-1.0" })
    .end(JSON.stringify({ __type: type, Message: message, message }));
}
