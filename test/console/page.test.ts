// The console's page in a real browser: what others wrote in it, its states, its screens for everybody, many events.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { type AttemptRecord, FORMAT } from "../../lib/history/records.ts";
import { HTML, loadPage } from "../../local/console/page.ts";
import {
  checkAccess,
  type Look,
  openPage,
  PHONE,
  startBrowser,
  WIDE,
  withoutBrowser,
} from "../helpers/browser.ts";
import { EMBEDDED } from "../helpers/cli.ts";
import { type Dev, definition, handler, newFolder, startDevWith } from "../helpers/dev.ts";

const MOST_BYTES = 45_000;

it("the whole page is at most 45 kB, gzipped, and asks nobody else", async () => {
  const { js, css } = await loadPage();
  const bytes = [HTML, js, css].reduce((sum, text) => sum + gzipSync(text).length, 0);
  assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`);
  assert.doesNotMatch(css, /url\(|@import/);
  // Preact has a way to set HTML, which nothing here goes.
  for (const name of readdirSync(new URL("../../console/", import.meta.url)).filter((each) =>
    /\.tsx?$/.test(each),
  ))
    assert.doesNotMatch(
      readFileSync(new URL(`../../console/${name}`, import.meta.url), "utf8"),
      /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function/i,
      name,
    );
  assert.ok(js.length > 0);
});

/** Markup in each place where a page could take text for it, escapes of terminals, text that is turned or not seen. */
const HOSTILE = [
  "\u202eturned\u2066\u200e\u009b",
  "<script>window.hacked=1</script>",
  "<img src=x onerror=window.hacked=1>",
  '"><svg onload=window.hacked=1>',
  "javascript:window.hacked=1//",
  "{{window.hacked=1}}",
  "\x1b[31mred\x1b]8;;http://evil.example\x07",
  "</textarea></style></title><base href=//evil.example>",
  "' onfocus=window.hacked=1 autofocus='",
  "\u200b\u2028\u2029\ufeff\u{e0041}",
].join(" ");
const STEERS = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]--[\n\t]]/v;

const at = (minute: number) => new Date(Date.now() - minute * 60_000).toISOString();

function hostileAttempt(id: string): AttemptRecord {
  const text = HOSTILE;
  return {
    id,
    api_id: HOSTILE,
    n: 1,
    at: at(1),
    ms: 1,
    container: "c",
    isolation: "global",
    release: HOSTILE,
    outcome: "dead",
    reason: "handler-threw",
    error: text,
    event: {
      Type: HOSTILE,
      Meta: { Key: HOSTILE, [HOSTILE]: HOSTILE, OriginatingRequest: Buffer.from(HOSTILE).toString("base64") },
      TimeStamp: HOSTILE,
    },
    runs: [
      {
        handler: HOSTILE,
        path: HOSTILE,
        context: { [HOSTILE]: HOSTILE },
        timeout_ms: 1,
        ms: 1,
        outcome: "failed",
        reason: "handler-threw",
        error: `${HOSTILE}\n    at ${HOSTILE} (fails.js:1:1)`,
        calls: [
          {
            i: 0,
            name: "getKeyData",
            args: [HOSTILE],
            answer: JSON.stringify({ [HOSTILE]: HOSTILE }),
            t: 1,
            ms: 1,
          },
          {
            i: 1,
            name: "makeHttpRequest",
            args: [
              JSON.stringify({
                Method: HOSTILE,
                Domain: HOSTILE,
                Headers: { [HOSTILE]: HOSTILE },
                Body: HOSTILE,
              }),
            ],
            answer: JSON.stringify({
              Code: HOSTILE,
              Headers: { [HOSTILE]: [HOSTILE] },
              Body: JSON.stringify({ [HOSTILE]: HOSTILE }),
            }),
            t: 1,
            ms: 1,
          },
          {
            i: 2,
            name: "batchRequest",
            args: [JSON.stringify({ requests: [{ relative_url: HOSTILE }] })],
            t: 1,
            ms: 1,
          },
          {
            i: 3,
            name: "storage",
            args: ["get", HOSTILE],
            answer: JSON.stringify({ error: HOSTILE }),
            t: 1,
            ms: 1,
          },
        ],
        logs: [{ i: 4, level: "error", text }],
        writes: [
          {
            i: 5,
            key: HOSTILE,
            before: JSON.stringify({ [HOSTILE]: HOSTILE }),
            after: JSON.stringify({ alias: HOSTILE }),
          },
        ],
      },
    ],
  };
}

const linesOf = (attempts: AttemptRecord[]) =>
  attempts.map((attempt) => `${JSON.stringify({ history: FORMAT, attempt })}\n`).join("");

/** A folder in which a dev has recorded these. */
async function folderWith(attempts: AttemptRecord[], files: Record<string, string>): Promise<string> {
  const folder = await newFolder(files);
  const history = join(folder, ".gatehook/history");
  mkdirSync(history, { recursive: true });
  writeFileSync(join(history, "00000001.jsonl"), linesOf(attempts));
  return folder;
}

const FILES = {
  "apis/shop.json": definition("shop", { QuotaExceeded: "say", HostDown: "fails" }),
  "handlers/say.js": handler("say", "log(event.Meta.Key);"),
  "handlers/fails.js": handler("fails", "throw new Error('no');"),
};

async function startWith(
  folder: string,
  ...args: string[]
): Promise<{ dev: Dev; url: string; link: (path: string) => string }> {
  const dev = startDevWith(EMBEDDED, folder, "--no-demo", "--set", "MAX_ATTEMPTS=1", ...args);
  const [, url = ""] = await dev.says(/ready at (http:\S+)/);
  const [, link = ""] = await dev.says(/in a browser: (\S+)/);
  return { dev, url, link: (path) => link.replace("/console/events/last", path) };
}

describe("what others wrote", { skip: withoutBrowser() }, () => {
  let browser: Browser;
  let folder = "";
  let own: Awaited<ReturnType<typeof startWith>>;
  before(async () => {
    folder = await folderWith([hostileAttempt(HOSTILE), hostileAttempt("plain")], {
      ...FILES,
      "apis/hostile.json": JSON.stringify({ ...JSON.parse(definition("hostile", {})), name: HOSTILE }),
      "handlers/say.js": handler(
        "say",
        `// ${HOSTILE.replaceAll(/[\r\n\u2028\u2029]/g, "")}\nlog(event.Meta.Key);`,
      ),
    });
    own = await startWith(folder);
    const session = {
      alias: HOSTILE,
      org_id: "shop",
      expires: 4_000_000_000,
      access_rights: { shop: { api_id: "shop" } },
      meta_data: { [HOSTILE]: HOSTILE },
    };
    const put = await fetch(
      `${own.url}/sessions/${encodeURIComponent("k<img src=x onerror=window.hacked=1>")}`,
      { method: "PUT", body: JSON.stringify(session) },
    );
    assert.equal(put.status, 201);
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await own?.dev.end();
    await rm(folder, { recursive: true });
  });

  const event = `/console/events/${encodeURIComponent(HOSTILE)}?${new URLSearchParams({ api: HOSTILE })}`;
  const SCREENS: Record<string, string[]> = {
    "/console/events": [],
    [event]: [],
    [`${event}&s=2`]: ["details"],
    [`${event}&s=3`]: ["details"],
    [`${event}&s=4`]: [],
    [`${event}&s=5`]: ["details"],
    [`${event}&s=6`]: [],
    [`/console/events?q=${encodeURIComponent(HOSTILE)}`]: [],
    "/console/sessions?org=shop": [],
    [`/console/sessions/${encodeURIComponent("k<img src=x onerror=window.hacked=1>")}?org=shop`]: [],
    [`/console/sessions/${encodeURIComponent(HOSTILE)}`]: [],
    "/console/releases": [],
    [`/console/releases/${encodeURIComponent(HOSTILE)}`]: [],
    "/console/dead-letters": [],
    "/console/overview": [],
    [`/console/send?from=plain&api=${encodeURIComponent(HOSTILE)}`]: [],
  };
  for (const [path, opened] of Object.entries(SCREENS))
    it(`is text and nothing else: ${path.slice(0, 60).replaceAll(/[^ -~]/g, "?")}`, async () => {
      const on = await openPage(browser, own.link(path), WIDE);
      await on.page.locator("main .pane, main .empty").first().waitFor();
      await on.settled();
      for (const name of opened)
        await on.page.evaluate<void>(
          `document.querySelectorAll("${name}").forEach((each) => { each.open = true; })`,
        );
      await on.settled();
      const seen = await on.page.evaluate<Record<string, unknown>>(`({
        hacked: "hacked" in window,
        made: [...document.querySelectorAll("script:not([src='/console/page.js']), img, iframe, object, embed, base, svg:not(.chart), [onerror], [onload], [onfocus]")].map((each) => each.outerHTML),
        links: [...document.querySelectorAll("a[href]")].map((each) => each.protocol).filter((each) => !["http:", "vscode:"].includes(each)),
        hosts: [...document.querySelectorAll("a[href^='http'], [src]")].map((each) => new URL(each.href ?? each.src).host).filter((each) => each !== location.host),
        text: document.body.innerText,
        styles: [...document.querySelectorAll("style, link:not([href='/console/page.css'])")].length,
      })`);
      const { text, ...rest } = seen;
      assert.deepEqual(rest, { hacked: false, made: [], links: [], hosts: [], styles: 0 });
      assert.doesNotMatch(String(text), STEERS);
      await on.close();
    });

  it("is shown, each screen's own way", async () => {
    const on = await openPage(browser, own.link(event), WIDE);
    await on.shows("\\u202eturned");
    await on.shows("<script>window.hacked=1</script>");
    await on.close();
  });
});

const LOOKS: Record<string, Look> = {
  "wide and light": WIDE,
  "wide and dark": { ...WIDE, scheme: "dark" },
  "320 px and light": { ...PHONE, scheme: "light" },
  "320 px and dark": PHONE,
};

describe("each screen is for everybody", { skip: withoutBrowser() }, () => {
  let browser: Browser;
  let folder = "";
  let own: Awaited<ReturnType<typeof startWith>>;
  before(async () => {
    folder = await newFolder(FILES);
    own = await startWith(folder);
    const session = { org_id: "shop", expires: 4_000_000_000, access_rights: { shop: { api_id: "shop" } } };
    await fetch(`${own.url}/sessions/k`, { method: "PUT", body: JSON.stringify(session) });
    const send = (event: object) =>
      fetch(`${own.url}/events/shop`, { method: "POST", body: JSON.stringify({ event }) });
    await send({ Type: "QuotaExceeded", Meta: { Key: "k" } });
    await send({ Type: "HostDown", Meta: {} });
    await send({ Type: 7 });
    await own.dev.says(/dead letter/);
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await own?.dev.end();
    await rm(folder, { recursive: true });
  });

  for (const [name, look] of Object.entries(LOOKS))
    it(`${name}: axe finds nothing, and nothing is wider than the page`, async () => {
      for (const path of [
        "/console/events",
        "/console/events?q=outcome:refused",
        "/console/events?q=key:nobody",
        "/console/events?q=typ:x",
        ...[1, 2, 3, 4, 5, 6].map((section) => `/console/events/last?s=${section}`),
        "/console/sessions?org=shop",
        "/console/sessions/k?org=shop",
        "/console/releases",
        "/console/dead-letters",
        "/console/overview",
        "/console/send",
      ]) {
        const on = await openPage(browser, own.link(path), look);
        await on.page.locator("main .pane").filter({ visible: true }).first().waitFor();
        await on.settled();
        await checkAccess(on.page, `${name} ${path}`);
        await on.close();
      }
    });

  it("help, which lists the keys, and the switch that turns single keys off", async () => {
    const on = await openPage(browser, own.link("/console/events"), WIDE);
    await on.shows(/^\S live$/);
    await on.keys("?");
    await on.page.getByRole("dialog", { name: "Help" }).waitFor();
    await checkAccess(on.page, "help");
    await on.tabTo(/single keys do something/);
    await on.keys("Space", "Escape", "n");
    await on.page.getByRole("dialog").waitFor({ state: "detached" });
    assert.match(on.page.url(), /\/console\/events$/);
    await on.keys("ArrowDown");
    await on.page.locator('.row[aria-selected="true"]').waitFor();
    await on.close();
  });
});

describe("the page's states", { skip: withoutBrowser() }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser?.close());

  it("before the first event it says how to send one, does so, and shows it", async () => {
    const folder = await newFolder(FILES);
    const { dev, link } = await startWith(folder);
    try {
      const on = await openPage(browser, link("/console/events/last"), WIDE);
      await on.shows("No event yet");
      await on.shows(/^curl http:\/\/127\.0\.0\.1:\d+\/events\/shop -d/);
      await checkAccess(on.page, "no event yet");
      await on.tabTo(/Send a HostDown|Send a QuotaExceeded/);
      await on.keys("Enter");
      await on.page.locator(".row").waitFor();
      await on.close();
    } finally {
      await dev.end();
      await rm(folder, { recursive: true });
    }
  });

  it("without the token it asks for the link, takes it, and takes it out of the address", async () => {
    const folder = await newFolder(FILES);
    const { dev, url, link } = await startWith(folder);
    try {
      const on = await openPage(browser, `${url}/console/overview`, PHONE);
      await on.shows(/needs the link/);
      await checkAccess(on.page, "no token");
      await on.tabTo(/Link/);
      await on.page.keyboard.type("nonsense");
      await on.keys("Enter");
      await on.shows(/no token in it/);
      await on.keys("Control+A");
      await on.page.keyboard.type(link("/console"));
      await on.keys("Enter");
      await on.shows(/^\S live$/);
      assert.equal(on.page.url(), `${url}/console/overview`);
      const other = await openPage(browser, link("/console/events"), PHONE);
      await other.shows(/^\S live$/);
      assert.equal(other.page.url(), `${url}/console/events`);
      assert.equal(await other.page.evaluate<string>("localStorage.length + document.cookie"), "0");
      await other.close();
      await on.close();
    } finally {
      await dev.end();
      await rm(folder, { recursive: true });
    }
  });

  it("says when the link is lost, and an open tab goes on when dev is there again", async () => {
    const folder = await newFolder(FILES);
    const first = await startWith(folder);
    const { port } = new URL(first.url);
    const on = await openPage(browser, first.link("/console/events"), WIDE);
    let again: Dev | undefined;
    try {
      await on.shows(/^\S live$/);
      await fetch(`${first.url}/events/shop`, {
        method: "POST",
        body: '{"event":{"Type":"QuotaExceeded","Meta":{"Key":"before"}}}',
      });
      await on.shows("before");
      await first.dev.end();
      await on.shows(/Lost since \d\d:\d\d:\d\d, trying/);
      await on.shows("before");
      await checkAccess(on.page, "the link is lost");
      again = startDevWith(EMBEDDED, folder, "--no-demo", "--port", port);
      await again.says(/ready at/);
      await on.shows(/^\S live$/);
      await fetch(`${first.url}/events/shop`, {
        method: "POST",
        body: '{"event":{"Type":"QuotaExceeded","Meta":{"Key":"after"}}}',
      });
      await on.shows("after");
      await on.close();
    } finally {
      await again?.end();
      await rm(folder, { recursive: true });
    }
  });

  it("says that nothing is recorded, and why", async () => {
    const folder = await newFolder(FILES);
    const { dev, link } = await startWith(folder, "--history", "0");
    try {
      const on = await openPage(browser, link("/console/events"), WIDE);
      await on.shows(/--history 0 records no events/);
      await on.close();
    } finally {
      await dev.end();
      await rm(folder, { recursive: true });
    }
  });

  it("shows a release that was refused, until the next good save", async () => {
    const folder = await newFolder(FILES);
    const { dev, link } = await startWith(folder);
    try {
      const on = await openPage(browser, link("/console/events"), WIDE);
      await on.shows(/^\S live$/);
      writeFileSync(join(folder, "handlers/say.js"), "var (");
      await on.shows(/was refused: handlers\/say\.js:1: /);
      writeFileSync(join(folder, "handlers/say.js"), handler("say", "log('good');"));
      await on.page.getByText(/was refused/).waitFor({ state: "detached" });
      await on.close();
    } finally {
      await dev.end();
      await rm(folder, { recursive: true });
    }
  });
});

describe("10,000 events", { skip: withoutBrowser() }, () => {
  const MANY = 10_000;
  const attempt = (n: number): AttemptRecord => ({
    id: `many-${String(n).padStart(5, "0")}`,
    api_id: "shop",
    n: 1,
    at: new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString(),
    ms: 1,
    container: "c",
    isolation: "global",
    release: "0123456789abcdef",
    outcome: n % 10 === 0 ? "failed" : "done",
    event: { Type: "QuotaExceeded", Meta: { Key: `k-${n}` }, TimeStamp: "" },
    runs: [],
  });
  let browser: Browser;
  let folder = "";
  let own: Awaited<ReturnType<typeof startWith>>;
  before(async () => {
    folder = await folderWith(
      Array.from({ length: MANY }, (_, n) => attempt(n)),
      FILES,
    );
    own = await startWith(folder);
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await own?.dev.end();
    await rm(folder, { recursive: true });
  });

  it("are all in the list, of which only what is seen is in the document", async () => {
    const on = await openPage(browser, own.link("/console/events"), WIDE);
    await on.page.locator(".row").first().waitFor();
    await on.page.locator(`.sizer[style*="${MANY * 28}px"]`).waitFor();
    assert.equal(await on.page.locator(".grid").getAttribute("aria-rowcount"), String(MANY + 1));
    await on.page.evaluate('document.querySelector(".grid").scrollTo({ top: 1e9 })');
    await on.shows("k-0");
    assert.ok((await on.page.locator(".row").count()) < 80);
    assert.ok((await on.page.evaluate<number>('document.querySelectorAll("*").length')) < 900);
    await on.close();
  });

  it("stay where they are under the reader when others come, and new ones wait", async () => {
    const on = await openPage(browser, own.link("/console/events"), WIDE);
    await on.page.locator(".row").first().waitFor();
    await on.page.locator(`.sizer[style*="${MANY * 28}px"]`).waitFor();
    await on.keys("j", "j", "j");
    const meant = on.page.locator('.row[aria-selected="true"]');
    const before = await meant.innerText();
    const place = await meant.boundingBox();
    await fetch(`${own.url}/events/shop`, {
      method: "POST",
      body: '{"event":{"Type":"QuotaExceeded","Meta":{"Key":"new"}}}',
    });
    await on.shows(/▲ 1 new/);
    assert.deepEqual([await meant.innerText(), await meant.boundingBox()], [before, place]);
    await on.keys(".");
    await on.page.locator(".row", { hasText: "new" }).first().waitFor();
    await on.close();
  });

  it("are found by a filter, and by a text", async () => {
    const on = await openPage(browser, own.link(`/console/events?q=${encodeURIComponent('"k-4321"')}`), WIDE);
    await on.page.locator(".row", { hasText: "k-4321" }).waitFor();
    assert.equal(await on.page.locator(".row").count(), 1);
    await on.keys("f");
    await on.shows(/No recorded event fits/);
    await on.close();
  });
});
