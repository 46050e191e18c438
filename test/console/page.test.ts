// The console's page in a real browser: its size, its states, many events.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { HTML, loadPage } from "../../local/console/page.ts";
import { checkAccess, openPage, PHONE, startBrowser, WIDE, withoutBrowser } from "../helpers/browser.ts";
import { EMBEDDED } from "../helpers/cli.ts";
import { type Dev, handler, newFolder, startDevWith } from "../helpers/dev.ts";
import { FILES, folderWith, type PageDev, startWith } from "../helpers/page-dev.ts";

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
  let own: PageDev;
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
    await on.shows(/No recorded event matches/);
    await on.close();
  });
});

describe("an event of two attempts", { skip: withoutBrowser() }, () => {
  const attempt = (n: number, outcome: "failed" | "done", text: string): AttemptRecord => ({
    id: "tried-twice",
    api_id: "shop",
    n,
    at: new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString(),
    ms: 1,
    container: "c",
    isolation: "event",
    release: "0123456789abcdef",
    outcome,
    event: { Type: "QuotaExceeded", Meta: { Key: "k" }, TimeStamp: "" },
    runs: [
      {
        handler: "say",
        path: "say.js",
        context: {},
        timeout_ms: 5_000,
        ms: 1,
        outcome,
        ...(outcome === "failed" && { error: "Error: not yet", reason: "handler-threw" as const }),
        calls: [],
        logs: [{ i: 0, level: "info", text }],
        writes: [],
      },
    ],
  });

  it("is read again when it is added to the list after it was opened", async () => {
    const folder = await folderWith([attempt(1, "failed", "the first")], FILES);
    const own = await startWith(folder);
    const browser = await startBrowser();
    const opened = Promise.withResolvers<void>();
    let row: unknown;
    let reads = 0;
    try {
      const on = await openPage(browser, own.link("/console/releases"), WIDE);
      // The list does not have the event yet, and the stream adds it when it is open.
      const isPath = (end: string) => (url: URL) =>
        url.pathname.endsWith(end) && !url.pathname.startsWith("/console/events");
      await on.page.route(isPath("/events"), async (route) => {
        const page = (await (await route.fetch()).json()) as { events: unknown[] };
        row ??= page.events[0];
        await route.fulfill({ json: { ...page, events: [], found: 0 } });
      });
      await on.page.route(isPath("/tail"), async (route) => {
        await opened.promise;
        const data = JSON.stringify({ type: "rows", rows: [row], left: [] });
        await route.fulfill({ contentType: "text/event-stream", body: `data: ${data}\n\n` });
      });
      await on.page.route(isPath("/events/tried-twice"), (route) => {
        reads += 1;
        return route.continue();
      });
      await on.page.goto(own.link("/console/events/tried-twice?api=shop"));
      await on.shows("the first");
      await on.settled();
      assert.equal(reads, 1);
      const again = on.page.waitForRequest((request) => request.url().includes("/events/tried-twice"));
      opened.resolve();
      await again;
      await on.page.context().close();
    } finally {
      opened.resolve();
      await browser.close();
      await own.dev.end();
      await rm(folder, { recursive: true });
    }
  });

  it("is run again and kept as the attempt that is looked at, which the commands name", async () => {
    const folder = await folderWith(
      [attempt(1, "failed", "the first"), attempt(2, "done", "the second")],
      FILES,
    );
    const own = await startWith(folder);
    const browser = await startBrowser();
    try {
      const on = await openPage(browser, own.link("/console/events/tried-twice?api=shop"), WIDE);
      await on.shows("the second");
      await on.keys("r");
      await on.shows("outcome done → done");
      await on.keys("6");
      await on.tabTo(/1, timeline/);
      await on.keys("Enter");
      await on.shows("the first");
      await on.keys("r");
      await on.shows("outcome failed → done");
      await on.keys("t");
      await on.page.getByRole("dialog", { name: "Save as a test" }).waitFor();
      await on.keys("Control+A");
      await on.page.keyboard.type("early");
      await on.keys("Enter");
      await on.shows("saved: tests/say/early.json");
      await on.keys("e");
      await on.shows("✓ valid");
      await on.tabTo(/^ *Key/);
      await on.keys("Control+A");
      await on.page.keyboard.type("changed");
      await on.tabTo(/Rerun with this/);
      await on.keys("Enter");
      await on.shows("its event was changed");
      await on.shows(/log info +changed/);
      await checkAccess(on.page, "a dry run of a changed event");
      await on.close();
      const kept = JSON.parse(readFileSync(join(folder, "tests/say/early.json"), "utf8"));
      assert.deepEqual(kept.expect.logs, [{ handler: "say", level: "info", text: "the first" }]);
    } finally {
      await browser.close();
      await own.dev.end();
      await rm(folder, { recursive: true });
    }
  });
});
