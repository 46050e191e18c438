import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Parameter Store and Secrets Manager in one small server, with their protocol and changeable values. */
export interface ValueStores {
  url: string;
  values: Map<string, string>;
  /** The received calls, such as `AmazonSSM.GetParameter /a/b`. */
  asked: string[];
  /** While it is set, each call fails with this HTTP status and error name. */
  failing: { status: number; name: string } | undefined;
  close(): Promise<void>;
}

/** `otherwise`: the value for names without one. */
export async function startValueStores(otherwise?: string): Promise<ValueStores> {
  const stores: Omit<ValueStores, "url" | "close"> = { values: new Map(), asked: [], failing: undefined };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const target = String(request.headers["x-amz-target"]);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
      const isParameter = target === "AmazonSSM.GetParameter";
      const name = String(isParameter ? body.Name : body.SecretId);
      stores.asked.push(`${target} ${name}`);
      const answer = (status: number, content: object) =>
        response
          .writeHead(status, { "content-type": "application/x-amz-json-1.1" })
          .end(JSON.stringify(content));
      const refuse = ({ status, name: __type }: { status: number; name: string }) =>
        answer(status, { __type, message: `no ${name}` });
      const value = stores.values.get(name) ?? otherwise;
      if (stores.failing) return refuse(stores.failing);
      // The value of a SecureString is returned only to requests with decryption.
      if (isParameter && body.WithDecryption !== true)
        return refuse({ status: 400, name: "ValidationException" });
      if (value === undefined)
        return refuse({ status: 400, name: isParameter ? "ParameterNotFound" : "ResourceNotFoundException" });
      const parameter = { Name: name, Type: "SecureString", Value: value, Version: 1 };
      answer(200, isParameter ? { Parameter: parameter } : { Name: name, SecretString: value });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(stores, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
