// What the docs tell a reader to type: its files are there, or made before; its commands, options and scripts exist;
// and resources are named as the deployment and the local stack name them.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../helpers/cli.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string) => readFileSync(`${ROOT}${file}`, "utf8");
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(`${ROOT}docs`).map((name) => `docs/${name}`),
].filter((name) => name.endsWith(".md"));

/** The command lines of a page: those of its shell blocks, and those behind a prompt. */
function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, language, block = ""]) => {
    const lines = block.replaceAll("\\\n", " ").split("\n");
    if (language === "sh") return lines.filter((line) => line.trim() && !line.startsWith("#"));
    return lines.flatMap((line) => (line.startsWith("$ ") ? line.slice(2) : []));
  });
}

/** These, and what stands as code in a sentence. */
const allCode = (text: string) => [
  ...commandLines(text),
  ...[...text.replaceAll(/^```.*?^```$/gms, "").matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code),
];

const withoutComment = (line: string) => line.replace(/\s#.*$/, "");

describe("a file that a command of the docs needs", () => {
  /** A word that is a file's name; what a command makes of it, or asks others for, has no ending like that. */
  const FILE = /^@?([\w.-]+(?:\/[\w.-]+)*\.(?:js|json|ts|yml|md))$/;
  for (const page of PAGES) {
    it(`is there, or made before: ${page}`, () => {
      const made = new Set<string>();
      for (const line of commandLines(read(page)).map(withoutComment)) {
        const words = line.split(/[\s=;]+/);
        for (const [at, word] of words.entries()) {
          const name = FILE.exec(word)?.[1];
          if (name === undefined) continue;
          // The names of objects in the bucket are not files.
          if (words.includes("s3api")) continue;
          if (words[at - 1] === ">") made.add(name);
          assert.ok(existsSync(`${ROOT}${name}`) || made.has(name) || words[0] === "aws", `${name}: ${line}`);
        }
      }
    });
  }
});

describe("a resource that the docs name", () => {
  const infra = readdirSync(`${ROOT}infra`)
    .filter((name) => name.endsWith(".yml"))
    .map((name) => read(`infra/${name}`));
  const known = new Set([
    ...infra.flatMap((text) =>
      [...text.matchAll(/\$\{self:custom\.name\}-([a-z]+(?:-[a-z]+)*)/g)].map(([, name]) => name),
    ),
    ...[...read("serverless.yml").matchAll(/handler: dist\/([a-z-]+)\//g)].map(([, name]) => name),
  ]);
  for (const page of PAGES) {
    it(`has the name that it is deployed under: ${page}`, () => {
      const text = read(page);
      for (const [whole, name] of text.matchAll(
        /gatehook-(?:prod|dev|local|STAGE|<stage>)-([a-z]+(?:-[a-z]+)*)/g,
      ))
        assert.ok(known.has(name), `${whole}: ${[...known].join(", ")}`);
      assert.doesNotMatch(
        text,
        /gatehook-(sessions|state|events|dead-letters|files)\b/,
        "a name without its stage",
      );
    });
  }
});

describe("a command of the docs", () => {
  const scripts = Object.keys(JSON.parse(read("package.json")).scripts);
  const help = new Map<string, string>();
  before(async () => {
    const { stdout } = await runCli(["--help"]);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name = ""]) => name);
    for (const command of commands) {
      const own = (await runCli([command, "--help"])).stdout;
      help.set(command, own);
      if (!own.includes("Commands:")) continue;
      for (const [, name = ""] of own.slice(own.indexOf("Commands:")).matchAll(/^ {2}([a-z]+)\b/gm))
        if (name !== "help") help.set(`${command} ${name}`, (await runCli([command, name, "--help"])).stdout);
    }
  });

  for (const page of PAGES) {
    it(`exists, with its options: ${page}`, () => {
      for (const code of allCode(read(page)).map(withoutComment)) {
        const [, call] = /(?:^|\s)gatehook\s+(.*)$/.exec(code) ?? [];
        if (call === undefined) continue;
        const [first = "", second = "", ...more] = call.split(/\s+/);
        if (!/^[a-z]+$/.test(first)) continue;
        const told = help.get(`${first} ${second}`) ?? help.get(first);
        assert.ok(told, `${code}: there is no command ${first}`);
        for (const option of [second, ...more].filter((word) => /^--[a-z]/.test(word)))
          assert.match(told, new RegExp(`${option.replace(/=.*/, "")}\\b`), code);
      }
    });

    it(`of npm is a script: ${page}`, () => {
      for (const code of allCode(read(page)).map(withoutComment))
        for (const [, name = ""] of code.matchAll(/\bnpm run (?:--silent )?([a-z:-]+)/g))
          assert.ok(scripts.includes(name), `${code}: there is no script ${name}`);
    });
  }
});

describe("what a gateway's host needs", () => {
  const page = read("docs/publisher.md");
  for (const name of readdirSync(`${ROOT}infra/gateway`))
    it(`stands in docs/publisher.md, which a package has: ${name}`, () => {
      assert.ok(page.includes(`\n${read(`infra/gateway/${name}`)}\`\`\`\n`));
    });
});
