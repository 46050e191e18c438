// The documentation as a whole: each link leads somewhere, each page has its place, and what is made by a script is
// what the script makes.
import assert from "node:assert/strict";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { ROOT } from "../../deploy/build.ts";
import { ARCHITECTURE_FILE, architectureSvg } from "../../deploy/docs-architecture.ts";
import { INDEX, pagesInOrder, withFooter } from "../../deploy/docs-pages.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const found = (...patterns: string[]) =>
  globSync(patterns, { cwd: ROOT, exclude: ["**/node_modules", "dist"] }).sort();

/** With those of folders that begin with a dot, which a glob passes over. */
const PAGES = [...found("**/*.md"), ...found(".github/**/*.md")];

const withoutCode = (text: string) => text.replaceAll(/^(```+).*?^\1$/gms, "");

/** As GitHub makes them of headings: a repeated one gets a number. */
function anchorsOf(path: string): Set<string> {
  const seen = new Map<string, number>();
  const headings = withoutCode(read(path)).matchAll(/^#{1,6} (.+)$/gm);
  const slugs = Array.from(headings, ([, heading = ""]) => {
    const shown = heading
      .replaceAll(/\[(.*?)\]\(.*?\)/g, "$1")
      .trim()
      .toLowerCase();
    const slug = shown.replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
  return new Set(slugs);
}

/** Why a link of a file leads nowhere; nothing of one that leads out of the clone. */
function fault(from: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined;
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? from : normalize(join(dirname(from), path));
  if (!existsSync(join(ROOT, target))) return `${from} links to ${link}: there is no ${target}`;
  if (anchor === undefined || anchorsOf(target).has(anchor)) return undefined;
  return `${from} links to ${link}: ${target} has no heading of that name`;
}

describe("a link of the documentation", () => {
  for (const page of PAGES)
    it(`leads to a file and a heading that are there: ${page}`, () => {
      const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
      const faults = links.flatMap((link) => fault(page, link) ?? []);
      assert.deepEqual(faults, []);
    });

  it("is looked for in every page, and found out when it leads nowhere", () => {
    for (const page of [
      "README.md",
      "docs/README.md",
      "examples/README.md",
      ".github/pull_request_template.md",
    ])
      assert.ok(PAGES.includes(page), page);
    assert.match(fault("docs/tyk.md", "tik.md") ?? "", /there is no docs\/tik\.md/);
    assert.match(fault("docs/tyk.md", "../README.md#more-or-less") ?? "", /has no heading of that name/);
    assert.equal(fault("docs/tyk.md", "#by-hand"), undefined);
  });

  it("that the source names is there too", () => {
    const sources = found(
      "{lib,cli,local,functions,console,deploy,infra,init,bin}/**/*.{ts,tsx,js,cjs,yml,json}",
      "serverless.yml",
    );
    assert.ok(sources.length > 100);
    for (const file of sources)
      for (const [link] of read(file).matchAll(/\bdocs\/[\w-]+\.md(?:#[\w-]+)?/g))
        assert.equal(fault("README.md", link), undefined, file);
  });
});

describe("the pages of docs/", () => {
  const names = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md") && name !== INDEX);

  it("stand in the index once each, which the README names", () => {
    assert.deepEqual(pagesInOrder().sort(), names.sort());
    assert.match(read("README.md"), /\]\(docs\/README\.md\)/);
  });

  for (const name of names)
    it(`end with links to their neighbours (npm run docs writes them): ${name}`, () => {
      const text = read(`docs/${name}`);
      assert.equal(text, withFooter(name, text));
    });

  it("show every picture of docs/images/", () => {
    const shown = new Set(
      PAGES.flatMap((page) =>
        [...read(page).matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, path = ""]) =>
          normalize(join(dirname(page), path)),
        ),
      ),
    );
    const images = found("docs/images/*").map(normalize);
    assert.deepEqual(
      images.filter((image) => !shown.has(image)),
      [],
    );
  });

  it("have the picture of the architecture that the script makes (npm run docs:architecture)", () => {
    assert.equal(readFileSync(ARCHITECTURE_FILE, "utf8"), architectureSvg());
    for (const page of ["README.md", "docs/architecture.md"])
      assert.match(read(page), /images\/architecture\.svg\)/);
  });

  it("name tests that are there, by the words of their titles", () => {
    const named = names.flatMap((name) => [
      ...read(`docs/${name}`).matchAll(/`(test\/[\w./-]+\.ts)`(?:\s+"([^"|]+)")?/g),
    ]);
    assert.ok(named.length > 50);
    for (const [whole, file = "", title = ""] of named) {
      assert.ok(existsSync(join(ROOT, file)), `there is no ${file}`);
      assert.ok(read(file).includes(title.replaceAll(/\s+/g, " ")), whole);
    }
  });

  it("say where each folder of lib is, and name files that are there", () => {
    const [, table = ""] = read("docs/architecture.md").split("## Where things are");
    const rows = [...table.matchAll(/^\| `(\w[^`]*\/)[^|]*\| (.+) \|$/gm)];
    const folders = rows.map(([, folder = ""]) => folder);
    const ofLib = readdirSync(join(ROOT, "lib"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    assert.deepEqual(
      ofLib.map(({ name }) => `lib/${name}/`).filter((folder) => !folders.includes(folder)),
      [],
    );
    for (const [, folder = "", text = ""] of rows) {
      assert.ok(existsSync(join(ROOT, folder)), `there is no ${folder}`);
      for (const [, file = ""] of text.matchAll(/`([\w./-]+\.(?:ts|js))`/g))
        assert.ok(found(file, `${folder}**/${file}`, `lib/*/**/${file}`).length > 0, `there is no ${file}`);
    }
  });

  it("compare by costs that docs/deploy.md has", () => {
    const costs = [...read("docs/compare.md").matchAll(/(\d+\.\d\d) USD/g)].map(([, usd = ""]) => usd);
    assert.ok(costs.length > 0);
    for (const usd of costs)
      assert.match(read("docs/deploy.md"), new RegExp(`\\*\\*${usd.replace(".", "\\.")}\\*\\*`));
  });
});
