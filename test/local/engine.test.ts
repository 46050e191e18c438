// The DynamoDB engine of the stack on one machine: where it is found, what is said where there is none, and its end.
import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { AppError } from "../../lib/errors.ts";
import { startDynamo } from "../../local/dynamodb.ts";
import { findBinary, type Machine } from "../../local/engine-binary.ts";
import { EMBEDDED, groupOf, runCli } from "../helpers/cli.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehook-"));
});
after(() => rmSync(folder, { recursive: true }));

function write(...path: string[]): string {
  const file = join(folder, ...path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "#!/bin/sh\nexit 7\n");
  return file;
}

function executable(...path: string[]): string {
  const file = write(...path);
  chmodSync(file, 0o755);
  return file;
}

const machine = (changes: Partial<Machine>): Machine => ({
  platform: "linux",
  arch: "x64",
  path: "",
  from: [join(folder, "nowhere.js")],
  ...changes,
});

describe("a port that another program takes", { skip: process.platform === "win32" }, () => {
  /** An engine that finds its port taken this many times, and then is the real one. */
  function takenTimes(times: number): string {
    const file = executable(`taken-${times}`);
    const said = 'echo "error: port 4711 is already in use (detected listener on 0.0.0.0:4711)" >&2; exit 1';
    const count = `${file}.count`;
    const script = `[ "$(wc -c < '${count}')" -lt ${times} ] && { printf x >> '${count}'; ${said}; }\nexec '${findBinary()}' "$@"\n`;
    writeFileSync(count, "");
    writeFileSync(file, `#!/bin/sh\n${script}`);
    return file;
  }

  it("costs the engine another try, with another port", async () => {
    const binary = takenTimes(4);
    const engine = await startDynamo({ binary });
    try {
      assert.equal(readFileSync(`${binary}.count`, "utf8"), "xxxx");
      const { status } = await fetch(engine.endpoint);
      assert.ok(status > 0);
    } finally {
      await engine.close();
    }
  });

  it("is told after five tries", async () => {
    const binary = takenTimes(5);
    await assert.rejects(startDynamo({ binary }), /port 4711 is already in use/);
    assert.equal(readFileSync(`${binary}.count`, "utf8"), "xxxxx");
  });
});

describe("the engine's binary", () => {
  it("is that of the platform's package, by its own name on Windows", () => {
    for (const [platform, arch, file] of [
      ["win32", "x64", "dynoxide.exe"],
      ["darwin", "arm64", "dynoxide"],
      ["linux", "arm64", "dynoxide"],
    ] as const) {
      const packaged = executable("project/node_modules/@dynoxide", `${platform}-${arch}`, file);
      const from = [join(folder, "elsewhere.js"), join(folder, "project/package.json")];
      assert.equal(findBinary(machine({ platform, arch, from, path: folder })), packaged);
    }
  });

  it("is else the first on the PATH that can be run, never one of the current folder", () => {
    mkdirSync(join(folder, "a-folder/dynoxide"), { recursive: true });
    write("no-rights/dynoxide");
    const first = executable("first/dynoxide");
    executable("second/dynoxide");
    const path = ["a-folder", "no-rights", "first", "second"].map((name) => join(folder, name));
    assert.equal(findBinary(machine({ path: ["", ...path].join(":") })), first);
    const exe = executable("first/dynoxide.exe");
    assert.equal(findBinary(machine({ platform: "win32", path: path.join(";") })), exe);
    const here = process.cwd();
    process.chdir(join(folder, "first"));
    try {
      assert.throws(() => findBinary(machine({ path: ":" })));
    } finally {
      process.chdir(here);
    }
  });

  const ways = (platform: string, arch: string): string[] => {
    try {
      findBinary(machine({ platform, arch }));
    } catch (thrown) {
      const { code, message } = thrown as AppError;
      assert.equal(code, "local-failed");
      assert.match(message, new RegExp(`^there is no DynamoDB engine for ${platform}-${arch} here: `));
      return message.split("\n").slice(1);
    }
    throw new Error("found one");
  };
  const CARGO = "cargo install dynoxide-rs (about 6 minutes)";
  const BREW = "brew install nubo-db/tap/dynoxide";
  const MINISTACK =
    "pip install ministack, start it by BIND_HOST=127.0.0.1 ministack, and set AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:4566";

  it("is told how to get where there is none: the package only on platforms that have one", () => {
    assert.deepEqual(ways("darwin", "x64"), [
      "npm install --save-optional @dynoxide/darwin-x64",
      BREW,
      CARGO,
      MINISTACK,
    ]);
    assert.deepEqual(ways("win32", "x64"), [
      "npm install --save-optional @dynoxide/win32-x64",
      CARGO,
      MINISTACK,
    ]);
    assert.deepEqual(ways("linux", "riscv64"), [BREW, CARGO, MINISTACK]);
    assert.deepEqual(ways("freebsd", "x64"), [CARGO, MINISTACK]);
  });
});

/** This checkout, without the engine's package. */
function checkoutWithoutEngine(): string {
  const root = join(folder, "checkout");
  mkdirSync(join(root, "node_modules"), { recursive: true });
  const link = (path: string) => symlinkSync(join(process.cwd(), path), join(root, path));
  for (const name of ["cli", "functions", "lib", "local", "package.json"]) link(name);
  for (const name of ["apis", "handlers"]) cpSync(name, join(root, name), { recursive: true });
  for (const name of readdirSync("node_modules")) if (name !== "@dynoxide") link(join("node_modules", name));
  return root;
}

describe("the engine", () => {
  it("listens at a random address of the machine, which no web page knows, where there are many", async () => {
    const engines = [await startDynamo(), await startDynamo()];
    const hosts = engines.map(({ endpoint }) => new URL(endpoint).hostname);
    await Promise.all(engines.map(({ close }) => close()));
    for (const host of hosts) assert.match(host, /^127\.\d+\.\d+\.\d+$/);
    if (process.platform === "darwin") return assert.deepEqual(hosts, ["127.0.0.1", "127.0.0.1"]);
    assert.equal(new Set([...hosts, "127.0.0.1"]).size, 3);
  });
});

describe("gatehook dev", () => {
  it("ends with 1 and the ways out where there is no engine, and starts one of the PATH", async () => {
    const root = checkoutWithoutEngine();
    // Or Node would look for packages beside the files that the links lead to.
    const flags = ["--preserve-symlinks", "--preserve-symlinks-main"];
    const run = (bin: string) =>
      runCli(["dev", "--port", "0"], {
        cwd: root,
        command: [...flags, join(root, "cli/gatehook.ts")],
        env: { ...EMBEDDED, PATH: [bin, "/usr/bin", "/bin"].join(delimiter) },
      });
    const none = await run(join(folder, "empty"));
    assert.deepEqual([none.code, none.stdout, none.leftovers], [1, "", false]);
    assert.match(none.stderr, /^gatehook: there is no DynamoDB engine for .+ here: .+\n( {2}.+\n){2,4}$/);
    const broken = executable("broken/dynoxide");
    const { code, stderr, leftovers } = await run(join(folder, "broken"));
    assert.deepEqual([code, leftovers], [1, false]);
    assert.equal(stderr, `gatehook: the DynamoDB engine ${broken} ended with exit code 7\n`);
  });

  it("says so and ends with 1 when its engine is killed", async () => {
    let engine = 0;
    const { code, stderr, leftovers } = await runCli(["dev", "--port", "0"], {
      env: EMBEDDED,
      onStart(child) {
        let seen = "";
        child.stdout?.on("data", (chunk) => {
          seen += chunk;
          if (engine || !seen.includes("Ctrl+C")) return;
          const [pid = 0] = [...groupOf(child.pid ?? 0)].find(([, name]) => name.endsWith("dynoxide")) ?? [];
          engine = pid;
          process.kill(engine, "SIGKILL");
        });
      },
    });
    assert.deepEqual([code, leftovers], [1, false]);
    assert.match(
      stderr,
      /^gatehook: the DynamoDB engine \S+dynoxide was ended by SIGKILL: its tables are lost, .+; --persist keeps both\n$/,
    );
  });
});
