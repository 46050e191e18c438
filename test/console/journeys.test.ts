// The eight journeys of a user through the console, by keyboard alone, in a real browser.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import {
  checkAccess,
  type Look,
  openPage,
  PHONE,
  startBrowser,
  type TestPage,
  WIDE,
  withoutBrowser,
} from "../helpers/browser.ts";
import { EMBEDDED } from "../helpers/cli.ts";
import { type Dev, definition, handler, newFolder, startDevWith, writeFiles } from "../helpers/dev.ts";

const MOVE = `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.expires += 1000; log("expiry moved for " + event.Meta.Key);
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`;
const BROKEN = 'log("here");\nvar plan = null;\nplan.name;';

for (const [name, look] of Object.entries({ "wide and light": WIDE, "320 px and dark": PHONE }))
  describe(`a user of the console, ${name},`, { skip: withoutBrowser() }, () => journeys(look));

function journeys(look: Look): void {
  let browser: Browser;
  let folder = "";
  let dev: Dev;
  let url = "";
  let link = "";
  let on: TestPage;
  before(async () => {
    folder = await newFolder({
      "apis/shop.json": definition("shop", { KeyExpired: "move", HostDown: "breaks", BreakerTripped: "say" }),
      "handlers/move.js": handler("move", MOVE),
      "handlers/breaks.js": handler("breaks", BROKEN),
      "handlers/say.js": handler("say", "log(event.Meta.Path);"),
    });
    dev = startDevWith(EMBEDDED, folder, "--set", "MAX_ATTEMPTS=1");
    url = (await dev.says(/ready at (http:\S+)/))[1] ?? "";
    link = (await dev.says(/in a browser: (\S+)/))[1] ?? "";
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await dev?.end();
    await rm(folder, { recursive: true });
  });

  /** A page of its own, at another place than the link's. */
  async function journey(path: string, walk: () => Promise<void>): Promise<void> {
    on = await openPage(browser, path === "" ? link : link.replace("/console/events/last", path), look);
    await on.shows(/^\S live$/);
    await walk();
    await checkAccess(on.page, path);
    await on.close();
  }
  const body = () => on.page.locator("body").innerText();
  const send = (Type: string, Key?: string) =>
    fetch(`${url}/events/shop`, {
      method: "POST",
      body: JSON.stringify({ event: { Type, Meta: Key === undefined ? {} : { Key } } }),
    });

  it("1 and 2: sees the sample event, what its handler did, and goes through its sections", () =>
    journey("", async () => {
      await on.shows("KeyExpired · shop · shop-key");
      await on.shows(/expires \d+ → \d+ \(\+1,000 s/);
      await on.shows("expiry moved for shop-key");
      await on.shows("session and ledger, exactly once");
      // The address names the event, and the token is out of it.
      await on.page.waitForURL(/\/console\/events\/[0-9a-f-]{36}\?api=shop$/);
      await on.keys("2");
      await on.shows("expires");
      await on.keys("4");
      await on.shows("expiry moved for shop-key");
      await on.keys("5");
      await on.shows("OriginatingRequest, decoded");
      await on.keys("6");
      await on.shows("1, timeline");
      await on.keys("Escape");
      await on.page.waitForURL(/\/console\/events$/);
      await on.keys("ArrowDown", "Enter");
      await on.shows("session and ledger, exactly once");
      await on.keys("Escape");
      // With the frame that shows the list again.
      await on.page.waitForFunction("document.activeElement.getAttribute('role') === 'grid'");
    }));

  it("3: finds what failed and its line, fixes the script, and sends the event again", async () => {
    await send("HostDown");
    await journey("/console/events", async () => {
      await on.keys("f");
      await on.page.waitForURL(/q=/);
      // Once the list has it as one of those that failed, and no other that was there before.
      await on.page.locator(".row", { hasText: "HostDown" }).waitFor();
      await on.page.locator('.grid[aria-rowcount="2"]').waitFor();
      await on.keys("ArrowDown", "Enter");
      await on.shows(/TypeError/);
      const place = on.page.getByRole("link", { name: /^breaks\.js:5:\d+$/ });
      await place.waitFor();
      const address = (await place.getAttribute("href")) ?? "";
      assert.match(address, /^vscode:\/\/file\/.*\/handlers\/breaks\.js:5:\d+$/);
      await on.shows(/> +5 \| plan\.name;/);
      await on.keys("p");
      await on.shows("waits for a save");
      await writeFiles(folder, { "handlers/breaks.js": handler("breaks", 'log("works now");') });
      // The pinned event is run again by itself, and says that it is mended before anything is sent.
      await on.shows("failed before, done now");
      await on.keys("r");
      await on.shows("Dry: nothing was written or sent.");
      await on.shows("outcome failed → done");
      await on.shows(/log info +works now/);
      await checkAccess(on.page, "a rerun");
      await dev.says(/release \w+ is live/);
      await on.keys("Shift+R");
      await on.shows("works now");
      await on.shows(/✓\s*done/);
    });
  });

  it("4: sends an event that was never had, and sees what became of it", () =>
    journey("/console/events", async () => {
      await on.keys("n");
      await on.page.getByRole("heading", { name: "Send an event" }).waitFor();
      await on.shows("✓ valid");
      await on.tabTo(/^ *Type/);
      await on.page.keyboard.type("BreakerTripped");
      await on.tabTo(/Meta\.Path/);
      await on.keys("Control+A");
      await on.page.keyboard.type("/status/never");
      await on.shows("✓ valid");
      await on.keys("Control+Enter");
      await on.shows("BreakerTripped · shop");
      await on.shows("/status/never");
    }));

  it("sends an event for a session that is to be another before, and nothing where somebody was first", () =>
    journey("/console/send", async () => {
      const session = { org_id: "shop", rate: 5, expires: 4_000_000_000, access_rights: { shop: {} } };
      const stored = async () => (await fetch(`${url}/sessions/to-be`)).json();
      /** Types over what the field has. */
      const write = async (words: RegExp, text: string) => {
        await on.tabTo(words);
        await on.keys("Control+A");
        await on.page.keyboard.type(text);
      };
      const choose = async () => {
        await on.tabTo(/^ *Type/);
        await on.page.keyboard.type("KeyExpired");
        await write(/^ *Key/, "to-be");
        await on.tabTo(/^ *store this session first/);
        await on.keys("Space");
      };
      await on.shows("✓ valid");
      await choose();
      await on.shows("The session of to-be before the event: it is not there yet");
      await write(/The session of to-be/, "[");
      await on.shows("✗ this is not a JSON object");
      await write(/The session of to-be/, JSON.stringify({ ...session, rate: "fast" }));
      await on.keys("Control+Enter");
      await on.shows(/nothing was sent\. The session of to-be: rate: expected a number/);
      assert.equal((await fetch(`${url}/sessions/to-be`)).status, 404);
      await write(/The session of to-be/, JSON.stringify(session));
      await checkAccess(on.page, "send, with a session");
      await on.keys("Control+Enter");
      await on.shows(/expires 4000000000 → 4000001000 \(\+1,000 s/);
      await on.keys("n");
      await on.shows("✓ valid");
      await choose();
      await on.shows("The session of to-be before the event");
      const put = { method: "PUT", body: JSON.stringify({ ...session, rate: 6 }) };
      assert.equal((await fetch(`${url}/sessions/to-be`, put)).status, 200);
      await write(/The session of to-be/, JSON.stringify({ ...session, rate: 7 }));
      await on.keys("Control+Enter");
      await on.shows("nothing was sent. The session of to-be: somebody has changed it in the meantime");
      assert.equal(((await stored()) as { rate: number }).rate, 6);
      await on.tabTo(/^ *Recent/);
      await on.keys("ArrowDown");
      await on.page.waitForURL(/from=[0-9a-f-]{36}&api=shop/);
    }));

  it("5: keeps an event as a test", () =>
    journey("", async () => {
      await on.shows(/ · shop/);
      await on.keys("t");
      const title = on.page.getByRole("dialog", { name: "Save as a test" });
      await title.waitFor();
      await checkAccess(on.page, "the dialog of a test");
      await on.keys("Control+A");
      await on.page.keyboard.type("kept");
      await on.keys("Enter");
      await on.shows(/saved: tests\/\w+\/kept\.json/);
      const [, path = ""] = /saved: (\S+)/.exec(await body()) ?? [];
      assert.ok(existsSync(join(folder, path)));
      assert.equal(JSON.parse(readFileSync(join(folder, path), "utf8")).api_id, "shop");
    }));

  it("6: finds one key's story by pasting the key", async () => {
    for (const key of ["k-1", "k-2", "k-1"]) await send("BreakerTripped", key);
    await journey("/console/events", async () => {
      await on.keys("/");
      await on.page.keyboard.type("k-1");
      await on.keys("Enter");
      await on.page.waitForURL(/q=key%3Ak-1/);
      await on.page.locator('.grid[aria-rowcount="3"]').waitFor();
      assert.equal(await on.page.locator(".row").count(), 2);
      await on.keys("j", "j", "Enter");
      await on.shows("BreakerTripped · shop · k-1");
      const first = on.page.url();
      await on.keys("]");
      await on.page.waitForURL((now) => now.href !== first);
      await on.page.locator("button:disabled", { hasText: "next" }).waitFor();
      await on.keys("[");
      await on.page.waitForURL(first);
    });
  });

  it("7: gets from a burst of failures to its release, and rolls back", async () => {
    await writeFiles(folder, { "handlers/say.js": handler("say", 'throw new Error("bad release");') });
    await dev.says(/release \w+ is live/);
    // A consumer may have one more event of the release before.
    for (let dead = 0; dead < 3; ) {
      await send("BreakerTripped", `burst-${dead}`);
      const [, what] = await dev.says(/(dead letter|committed) /);
      if (what === "dead letter") dead += 1;
    }
    await journey("/console/overview", async () => {
      await on.shows(/failed [\d.]+ %/);
      await on.keys("g", "d");
      await on.tabTo(/^ *[0-9a-f]{8}$/);
      await on.keys("Enter");
      await on.shows("Error: bad release");
      await on.tabTo(/first seen in release/);
      await on.keys("Enter");
      // The release at fault is live itself, so the one before is what to compare and go back to.
      await on.page.getByRole("heading", { name: /^[0-9a-f]{16}$/ }).waitFor();
      const bad = (await on.page.getByRole("heading", { name: /^[0-9a-f]{16}$/ }).textContent()) ?? "";
      await on.keys("Escape");
      await on.tabTo(new RegExp(`^ *(?!${bad.slice(0, 8)})[0-9a-f]{8}$`));
      await on.keys("Enter", "d");
      await on.shows(/- +throw new Error\("bad release"\);|-.*bad release/);
      await on.tabTo(/Roll back/);
      await on.keys("Enter");
      const before = (await on.page.getByRole("heading", { name: /^[0-9a-f]{16}$/ }).textContent()) ?? "";
      await on.page.getByRole("dialog").waitFor();
      await checkAccess(on.page, "the dialog of a rollback");
      await on.page.keyboard.type(before.slice(0, 4));
      await on.keys("Enter");
      await on.shows(new RegExp(`release ${before.slice(0, 8)} is live again`));
    });
  });

  it("8: sends dead letters again, and sees what is left", () =>
    journey("/console/dead-letters", async () => {
      await on.tabTo(/Read the queue/);
      await on.keys("Enter");
      await on.shows(/from the queue: \d+ letters? read/);
      await on.tabTo(/^ *[0-9a-f]{8}$/);
      await on.keys("Enter");
      await on.tabTo(/Redrive/);
      await on.keys("Enter");
      await on.page.getByRole("dialog").waitFor();
      await checkAccess(on.page, "the dialog of a redrive");
      await on.keys("Enter");
      if (look === PHONE) await on.keys("Escape");
      await on.shows(/3 of 3 sent again/);
    }));
}
