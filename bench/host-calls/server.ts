// The server that the bench's handlers call, in its own thread, so that its work does not count as the main thread's.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";

const MB = 1024 * 1024;
/** The maximum size of an answer. */
const BODIES: Record<string, Buffer> = {
  "/small": Buffer.from("ok"),
  "/ascii": Buffer.alloc(MB, "a"),
  "/angles": Buffer.alloc(MB, "<"),
  "/quotes": Buffer.alloc(MB, '"'),
  "/controls": Buffer.alloc(MB, 1),
  "/no-utf8": Buffer.alloc(MB, 0xff),
  "/mixed": Buffer.alloc(MB, Buffer.from([0x61, 0xff])),
  "/wide": Buffer.alloc(MB - 1, "€"),
};
const HEADERS: Record<string, Record<string, string | string[]>> = {
  "/one-header": { a: Array(12_000).fill("") },
  "/many-headers": Object.fromEntries(Array.from({ length: 5_000 }, (_, nth) => [`h${nth}`, "v"])),
};

const server = createServer({ maxHeaderSize: MB }, (request, response) => {
  request.resume().on("end", () => {
    const [path = ""] = (request.url ?? "").split("?");
    if (path === "/round") response.writeHead(307, { location: path });
    else response.writeHead(200, HEADERS[path] ?? {});
    response.end(BODIES[path] ?? "");
  });
});
server.listen(0, "127.0.0.1", () => parentPort?.postMessage((server.address() as AddressInfo).port));
