// What a cold start has to parse, and what is left out of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";
import { bundle, endBuilder, OPTIONS, ROOT } from "../../deploy/build.ts";
import { checkLean, leanSdk } from "../../deploy/sdk.ts";
import type * as Egress from "../../lib/egress/client.ts";
import type * as Gateway from "../../lib/gateway/client.ts";

/** Loaded by the entry itself, see deploy/entries/consumer.ts. */
const FUNCTION = /\/consumer-\w+\.mjs$/;
/** What it has now, and a little more. Ask what came with it before this is raised. */
const MOST_BYTES = 690_000;

/** The files that are loaded before the first event; without `thenFunction`, before the sandbox's thread starts. */
function loadedAtStart({ outputs }: Metafile, thenFunction = true): Metafile["outputs"] {
  const loaded: Metafile["outputs"] = {};
  const open = Object.keys(outputs).filter((path) => path.endsWith("/index.mjs"));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const output = outputs[path];
    if (!output || path in loaded) continue;
    loaded[path] = output;
    for (const one of output.imports)
      if (one.kind === "import-statement" || (thenFunction && FUNCTION.test(one.path))) open.push(one.path);
  }
  return loaded;
}

const packagesOf = (outputs: Metafile["outputs"]) =>
  new Set(
    Object.values(outputs).flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => {
        const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
        return name && bytesInOutput > 0 ? [name] : [];
      }),
    ),
  );

describe("the consumer's bundle", () => {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-bundle-"));
  let metafile: Metafile;
  before(async () => {
    metafile = await bundle("deploy/entries/consumer.ts", join(folder, "consumer"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("loads what every batch needs, and leaves the rest for when it is asked for", () => {
    const atStart = packagesOf(loadedAtStart(metafile));
    const all = packagesOf(metafile.outputs);
    for (const name of ["@aws-sdk/client-dynamodb", "@aws-sdk/client-s3"]) assert.ok(atStart.has(name), name);
    const later = [
      "undici",
      "ipaddr.js",
      "@aws-sdk/client-sqs",
      "@aws-sdk/client-ssm",
      "@aws-sdk/lib-dynamodb",
    ];
    for (const name of later) assert.deepEqual([all.has(name), atStart.has(name)], [true, false], name);
  });

  it("starts the sandbox's thread before it loads any package", () => {
    const first = loadedAtStart(metafile, false);
    assert.deepEqual([...packagesOf(first)], []);
    const sources = Object.values(first).flatMap(({ inputs }) => Object.keys(inputs));
    assert.ok(sources.some((path) => path.endsWith("lib/runtime/thread.ts")));
  });

  it("is not larger than it was at a start", () => {
    const bytes = Object.values(loadedAtStart(metafile)).reduce((sum, output) => sum + output.bytes, 0);
    assert.ok(bytes > MOST_BYTES / 2, `${bytes} bytes are not the whole start`);
    assert.ok(bytes <= MOST_BYTES, `${bytes} bytes are more than ${MOST_BYTES}`);
  });
});

describe("what is loaded later", () => {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-bundle-"));
  const server = createServer((_, response) => response.end('{"org_id":"o"}'));
  let url: URL;
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  after(async () => {
    server.close();
    rmSync(folder, { recursive: true });
    await endBuilder();
  });

  /** What a source exports, from a bundle. */
  async function bundled<Exports>(name: string, source: string): Promise<Exports> {
    writeFileSync(join(folder, `${name}.ts`), source);
    await bundle(join(folder, `${name}.ts`), join(folder, name));
    return (await import(pathToFileURL(join(folder, name, "index.mjs")).href)) as Exports;
  }

  // Node gives what a CommonJS package exports by name; from a bundle, it is there by default only.
  it("asks a gateway", async () => {
    const source = `export { connectGateway } from "${ROOT}lib/gateway/client.ts";`;
    const { connectGateway } = await bundled<typeof Gateway>("gateway", source);
    const gateway = connectGateway({ hashed: false, url, secret: "s", timeoutMs: 5_000 });
    assert.deepEqual(await gateway.get("k"), { text: '{"org_id":"o"}', session: { org_id: "o" } });
    await gateway.close();
  });

  it("sends a script's request", async () => {
    const source = `export { createEgress } from "${ROOT}lib/egress/client.ts";`;
    const { createEgress } = await bundled<typeof Egress>("egress", source);
    const egress = createEgress({ allowHosts: ["127.0.0.1"], maxResponseBytes: 1_000 });
    const request = { method: "GET", url: url.href, headers: [], body: "" };
    const { status, body } = await egress.send(request, { signal: AbortSignal.timeout(5_000) });
    assert.deepEqual([status, Buffer.from(body).toString()], [200, '{"org_id":"o"}']);
    await egress.close();
  });
});

describe("a bundle that has again what the functions do without", () => {
  after(() => endBuilder());

  /** With one file as the SDK has it: as after an upgrade that has it elsewhere. */
  async function bundleWith(file: RegExp): Promise<Metafile> {
    const asItIs: Plugin = {
      name: "as-it-is",
      setup: ({ onLoad }) =>
        onLoad({ filter: file }, ({ path }) => ({ contents: readFileSync(path, "utf8") })),
    };
    const { metafile } = await build({
      ...OPTIONS,
      plugins: [asItIs, leanSdk, ...OPTIONS.plugins],
      stdin: {
        contents: `export { DynamoDBClient } from "@aws-sdk/client-dynamodb";
export { S3Client, GetObjectCommand } from "@aws-sdk/client-s3";`,
        resolveDir: OPTIONS.absWorkingDir,
      },
      outdir: "dist",
      write: false,
      metafile: true,
    });
    return metafile;
  }

  it("is not refused while each file is where it is looked for", async () => {
    checkLean(await bundleWith(/there-is-no-such-file/));
  });

  const cases: Record<string, [file: RegExp, found: RegExp]> = {
    "ways to credentials": [
      /credential-provider-node\/dist-es\/index\.js$/,
      /\/credential-provider-\w+\/dist-es\//,
    ],
    "files in the home folder": [/loadSharedConfigFiles\.js$/, /a function has [^,]*\/parseIni\.js:/],
    "streams of events": [/event-streams\/index\.js$/, /a function has [^,]*\/eventstream-codec\//],
    "discovered endpoints": [/endpoint-cache\/dist-es\/index\.js$/, /a function has [^,]*\/mnemonist\//],
    "every operation": [
      /client-s3\/.*schemas_0\.js$/,
      /a function has all of [^,]*\/client-s3\/[^,]*schemas_0\.js:/,
    ],
  };
  for (const [what, [file, found]] of Object.entries(cases))
    it(`is refused: ${what}`, async () => {
      const metafile = await bundleWith(file);
      assert.throws(() => checkLean(metafile), found);
    });
});
