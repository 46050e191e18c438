// Each screen of the page is for everybody: by axe, in both themes, wide and at 320 px.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import {
  checkAccess,
  type Look,
  openPage,
  PHONE,
  startBrowser,
  WIDE,
  withoutBrowser,
} from "../helpers/browser.ts";
import { newFolder } from "../helpers/dev.ts";
import { FILES, type PageDev, startWith } from "../helpers/page-dev.ts";

const LOOKS: Record<string, Look> = {
  "wide and light": WIDE,
  "wide and dark": { ...WIDE, scheme: "dark" },
  "320 px and light": { ...PHONE, scheme: "light" },
  "320 px and dark": PHONE,
};

describe("each screen is for everybody", { skip: withoutBrowser() }, () => {
  let browser: Browser;
  let folder = "";
  let own: PageDev;
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
      const on = await openPage(browser, own.link("/console/events"), look);
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
        await on.page.goto(new URL(path, own.url).href);
        await on.page.locator("main .pane").filter({ visible: true }).first().waitFor();
        await on.settled();
        await checkAccess(on.page, `${name} ${path}`);
      }
      await on.close();
    });

  it("help, which lists the keys, and the switch that turns single keys off", async () => {
    const on = await openPage(browser, own.link("/console/events"), WIDE);
    await on.shows(/^\S live$/);
    await on.page.locator(".row").first().waitFor();
    await on.keys("?");
    await on.page.getByRole("dialog", { name: "Help" }).waitFor();
    await checkAccess(on.page, "help");
    await on.tabTo(/single keys are on/);
    await on.keys("Space", "Escape", "n");
    await on.page.getByRole("dialog").waitFor({ state: "detached" });
    assert.match(on.page.url(), /\/console\/events$/);
    const chosen = on.page.locator('.row[aria-selected="true"]');
    // The keys go to the list when the dialog has given the focus back.
    for (let press = 0; press < 20 && (await chosen.count()) === 0; press += 1) {
      await on.keys("ArrowDown");
      await chosen.waitFor({ timeout: 1_000 }).catch(() => {});
    }
    assert.equal(await chosen.count(), 1);
    await on.close();
  });
});
