// npm run bench:watch: prints the time from a save to the start of the run, as shown by `gatehook dev`, without
// checking it.
import { execFile } from "node:child_process";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Dev, definition, handler, newFolder, startDev } from "../test/helpers/dev.ts";

const SAVES = 20;
const run = promisify(execFile);
const ms = (value = Number.NaN) => `${value.toFixed(0)} ms`;

const source = (mark: string) => handler("h", `  log("${mark}");`);

type Save = (mark: string, nth: number) => Promise<unknown>;

async function measure(name: string, dev: Dev, save: Save): Promise<void> {
  const started: number[] = [];
  const done: number[] = [];
  for (let nth = 0; nth < SAVES; nth += 1) {
    await save(`${name} ${nth}`, nth);
    const saved = performance.now();
    await dev.says(/ {2}(saved|removed) /);
    started.push(performance.now() - saved);
    await dev.says(/release \w+ (is live|was refused)/);
    done.push(performance.now() - saved);
  }
  const [first, last] = [started, done].map((all) => all.sort((a, b) => a - b));
  const line = [name.padEnd(22), `${started.length} of ${SAVES} seen`, `median ${ms(first?.[SAVES / 2])}`];
  console.log([...line, `max ${ms(first?.at(-1))}`, `live after ${ms(last?.[SAVES / 2])}`].join("  "));
}

async function measureAll(apis: number): Promise<void> {
  const others = Array.from({ length: apis - 1 }, (_, nth) => nth).flatMap((nth) => [
    [`apis/other-${nth}.json`, definition(`other-${nth}`, { KeyExpired: `other${nth}` })],
    [
      `handlers/other${nth}.js`,
      handler(`other${nth}`, `  log("${"a line of a script, as long as one is. ".repeat(40)}");`),
    ],
  ]);
  const folder = await newFolder({
    "apis/orders.json": definition("orders", { KeyExpired: "h" }),
    "handlers/h.js": source("first"),
    ...Object.fromEntries(others),
  });
  const file = join(folder, "handlers/h.js");
  const git = (...args: string[]) => run("git", ["-C", folder, ...args]);
  await git("init", "-q", "-b", "one");
  await git("config", "user.email", "bench@example.com");
  await git("config", "user.name", "bench");
  await git("add", ".");
  await git("commit", "-qm", "one");
  await git("checkout", "-qb", "two");
  await writeFile(file, source("two"));
  await git("commit", "-qam", "two");
  await git("checkout", "-q", "one");

  const dev = startDev(folder, "--no-demo");
  try {
    await dev.says(/Ctrl\+C stops everything/);
    console.log(`\n${apis} API(s), from a save to the start of its run:`);
    await measure("in place", dev, (mark) => writeFile(file, source(mark)));
    await measure("write and rename", dev, async (mark) => {
      await writeFile(`${file}.tmp`, source(mark));
      await rename(`${file}.tmp`, file);
    });
    await measure("sed -i", dev, (mark) => run("sed", ["-i", `s/log(".*")/log("${mark}")/`, file]));
    await measure("git checkout", dev, (_, nth) => git("checkout", "-qf", nth % 2 ? "one" : "two"));
    await measure("created and removed", dev, (mark, nth) =>
      nth % 2 ? rm(join(folder, "tykjs.js")) : writeFile(join(folder, "tykjs.js"), `// ${mark}\n`),
    );
  } finally {
    await dev.end();
    await rm(folder, { recursive: true });
  }
}

for (const apis of [1, 200, 1_000]) await measureAll(apis);
