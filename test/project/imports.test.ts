import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What has no folder: errors, log lines, metrics and small tools. */
const COMMON = [
  "lib/errors.ts",
  "lib/http-reply.ts",
  "lib/in-turn.ts",
  "lib/json-mistake.ts",
  "lib/json.ts",
  "lib/line-hunks.ts",
  "lib/log.ts",
  "lib/metrics.ts",
  "lib/rate-limit.ts",
  "lib/secrets.ts",
  "lib/tenths.ts",
];

/** The thread of the sandbox loads nothing else. */
const ALONE = new Set(["runtime"]);

/** Of lib/, what each folder may import beside itself and COMMON. */
const OF_LIB: Record<string, string[]> = {
  apis: ["go", "webhooks/definition.ts", "webhooks/own-handlers.ts", "runtime/identifiers.ts"],
  attach: ["apis", "go", "releases/read-apis.ts", "releases/sources.ts", "webhooks/definition.ts"],
  commit: ["dynamo", "events/identity.ts", "releases/table-format.ts", "sessions"],
  consumer: [
    "apis",
    "commit",
    "events",
    "gateway/key-digest.ts",
    "history/recorder.ts",
    "queue",
    "releases",
    "runtime",
    "sessions",
    "tasks",
    "tyk-api",
    "webhooks",
  ],
  "dead-letters": ["events", "queue/attributes.ts"],
  dynamo: [],
  egress: ["go"],
  events: ["go"],
  gateway: ["commit/commit.ts", "commit/store.ts", "dynamo", "events", "sessions"],
  go: [],
  history: [
    "apis",
    "commit/unit-of-work.ts",
    "consumer",
    "dynamo",
    "events",
    "queue",
    "releases",
    "runtime",
    "sessions",
    "tyk-api",
  ],
  ingest: ["apis", "events", "releases/release.ts"],
  keys: ["gateway/key-digest.ts", "gateway/key-hash.ts", "gateway/key-name.ts", "go", "sessions"],
  publisher: ["events", "ingest"],
  queue: ["events", "history/recorder.ts", "runtime/protocol.ts", "tasks/tasks.ts", "webhooks/verdict.ts"],
  releases: ["apis", "dynamo", "runtime", "webhooks"],
  runtime: [],
  sessions: ["dynamo", "gateway/key-digest.ts", "go"],
  settings: ["apis/nearest.ts"],
  tasks: [
    "commit/unit-of-work.ts",
    "consumer/entries.ts",
    "consumer/failure.ts",
    "dynamo",
    "events",
    "go",
    "queue",
    "releases/release.ts",
    "webhooks/definition.ts",
  ],
  "tyk-api": ["commit/unit-of-work.ts", "dynamo", "egress", "go", "runtime", "sessions"],
  webhooks: [
    "apis/invalid.ts",
    "consumer/circuit.ts",
    "dynamo",
    "egress",
    "events",
    "go",
    "queue",
    "releases",
    "tasks/tasks.ts",
  ],
};

/** Folder → the folders of ours that its files may import. The longest folder that fits a file counts. */
const ALLOWED: Record<string, string[]> = {
  ...Object.fromEntries(
    Object.entries(OF_LIB).map(([folder, others]) => [
      `lib/${folder}`,
      [`lib/${folder}`, ...others.map((other) => `lib/${other}`), ...(ALONE.has(folder) ? [] : COMMON)],
    ]),
  ),
  // A metric counts failures by their reasons.
  lib: [...COMMON, "lib/queue/dead-letters.ts"],
  functions: ["functions", "lib"],
  local: ["local", "lib"],
  // Of the page, its server has the types of its answers.
  "local/console": ["local", "lib", "console/answers.ts"],
  // The page, in a browser: of what runs in Node it has types, and how a text is shown without harm.
  console: ["console", "lib", "cli/terminal/printable.ts"],
  // The commands find bucket, table and gateway by the functions' own settings, and reach them by the same clients.
  cli: [
    "cli",
    "local",
    "lib",
    "console/answers.ts",
    "deploy",
    "functions/settings.ts",
    "functions/clients.ts",
    "functions/documents.ts",
    "functions/sqs.ts",
    "functions/gateway.ts",
    "functions/ingest-auth.ts",
    "functions/key-names.ts",
    "functions/keys-auth.ts",
    "functions/local-references.ts",
    "functions/prove-marks.ts",
    "functions/redact.ts",
    "functions/runtime-settings.ts",
    "functions/sessions-api.ts",
  ],
  public: ["cli", "lib/events/redact.ts"],
  deploy: ["deploy", "local/console/page.ts", "lib/settings", "lib/apis/nearest.ts", "lib/errors.ts"],
  // What is built, not what builds.
  "deploy/entries": ["functions"],
};

/** Package → the only places that may import it. */
const PACKAGES: Record<string, string[]> = {
  "@aws-sdk/": [
    "functions/clients.ts",
    "functions/documents.ts",
    "functions/sqs.ts",
    "functions/references.ts",
    "local/",
    "cli/",
    "deploy/sdk.ts",
    "lib/commit/commit.ts",
    "lib/commit/prove-marks.ts",
    "lib/commit/puts.ts",
    "lib/commit/take-marks.ts",
    "lib/commit/store.ts",
    "lib/tasks/window-store.ts",
    "lib/queue/visibility.ts",
    "lib/dynamo/",
    "lib/history/table-items.ts",
    "lib/history/table-sink.ts",
    "lib/events/send.ts",
    "lib/gateway/absence-limit.ts",
    "lib/gateway/later.ts",
    "lib/gateway/reconcile-place.ts",
    "lib/gateway/rows.ts",
    "lib/gateway/sync.ts",
    "lib/releases/store.ts",
    "lib/releases/stored.ts",
    "lib/releases/bucket.ts",
    "lib/releases/history.ts",
    "lib/releases/upload-lease.ts",
    "lib/sessions/rows.ts",
    "lib/sessions/store.ts",
    "lib/tyk-api/storage-store.ts",
    "lib/dead-letters/queue.ts",
    "lib/webhooks/store.ts",
  ],
  "quickjs-emscripten": ["lib/runtime/"],
  "node:worker_threads": ["lib/runtime/"],
  "@middy/": ["functions/"],
  "@aws-lambda-powertools/": ["functions/log.ts", "functions/metrics.ts", "functions/references.ts"],
  bcryptjs: ["lib/keys/password.ts"],
  standardwebhooks: ["lib/webhooks/sign.ts"],
  undici: ["lib/egress/", "lib/gateway/client.ts"],
  acorn: ["lib/releases/"],
  chokidar: ["cli/dev/watch.ts"],
  "jsonc-parser": [
    "cli/init-package.ts",
    "cli/test-files.ts",
    "lib/attach/",
    "lib/json-mistake.ts",
    "lib/json.ts",
    "lib/settings/",
  ],
  commander: ["cli/"],
  fauxqs: ["local/"],
  fflate: ["local/functions.ts", "deploy/zip.ts"],
  hono: ["local/console/"],
  "@hono/": ["local/console/"],
  preact: ["console/"],
  "@preact/": ["console/"],
  esbuild: [
    "cli/bundle/",
    "local/console/page.ts",
    "deploy/build.ts",
    "deploy/build-package.ts",
    "deploy/licences.ts",
    "deploy/sdk.ts",
  ],
  semver: ["deploy/pack-check.ts", "deploy/pack-install.ts", "deploy/release.ts"],
  "@aws/cloudformation-validate": ["deploy/schema.ts"],
};

const files = ["lib", "functions", "local", "console", "cli", "public", "deploy"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => `${folder}/${name}`),
);

function importsOf(file: string): string[] {
  const source = readFileSync(join(ROOT, file), "utf8");
  return [...source.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
}

test("the clients of a reference's stores are imported where the first reference is read, and nowhere before", () => {
  const statically = files.filter((file) =>
    /from "\.\/references\.ts"/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  const lazily = files.filter((file) =>
    /import\("\.\/references\.ts"\)/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  assert.deepEqual(
    [statically.filter((file) => below(file, "functions")), lazily],
    [[], ["functions/consumer.ts"]],
  );
});

test("no module imports itself by way of others, not even for a type", () => {
  const open: string[] = [];
  const done = new Set<string>();
  function visit(file: string): void {
    assert.ok(!open.includes(file), [...open.slice(open.indexOf(file)), file].join(" imports "));
    if (done.has(file) || !files.includes(file)) return;
    open.push(file);
    for (const name of importsOf(file)) if (name.startsWith(".")) visit(normalize(join(dirname(file), name)));
    open.pop();
    done.add(file);
  }
  files.forEach(visit);
});

test("each folder of lib has its rule", () => {
  const folders = readdirSync(join(ROOT, "lib"), { withFileTypes: true }).filter((one) => one.isDirectory());
  assert.deepEqual(folders.map(({ name }) => name).sort(), Object.keys(OF_LIB).sort());
});

const below = (path: string, folder: string) =>
  path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);

describe("imports run one way", () => {
  for (const file of files) {
    test(file, () => {
      const home = Object.keys(ALLOWED)
        .filter((folder) => below(file, folder))
        .sort((a, b) => b.length - a.length)[0];
      const allowed = ALLOWED[home ?? ""] ?? [];
      for (const name of importsOf(file)) {
        if (name.startsWith(".")) {
          const target = normalize(join(dirname(file), name));
          assert.ok(
            allowed.some((folder) => below(target, folder)),
            `${file} may not import ${target}`,
          );
          continue;
        }
        for (const [prefix, places] of Object.entries(PACKAGES)) {
          if (name.startsWith(prefix))
            assert.ok(
              places.some((place) => below(file, place)),
              `${file} may not import ${name}`,
            );
        }
      }
      const readsEnvironment =
        readFileSync(join(ROOT, file), "utf8").includes("process.env") ||
        /\{ env \} = process/.test(readFileSync(join(ROOT, file), "utf8"));
      if (readsEnvironment)
        assert.ok(!below(file, "lib"), `${file} is in lib and may not read the environment`);
    });
  }
});

test("each dependency has its reason in CONTRIBUTING.md", () => {
  const own = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const { dependencies, optionalDependencies, devDependencies } = own;
  const rows = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8").matchAll(/^\| (`.*?) \|/gm);
  const named = Array.from(rows, ([, row = ""]) =>
    Array.from(row.matchAll(/`(.*?)`/g), ([, name = ""]) => name),
  ).flat();
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }))
    assert.ok(
      named.some((one) => one === name || (one.endsWith("*") && name.startsWith(one.slice(0, -1)))),
      `${name} has no line under "Dependencies"`,
    );
});
