// npm run console:screenshots: makes docs/images/console-*.png, from a stack with typical events.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  openPage,
  PHONE,
  startBrowser,
  type TestPage,
  WIDE,
  withoutBrowser,
} from "../test/helpers/browser.ts";
import { EMBEDDED } from "../test/helpers/cli.ts";
import { definition, handler, newFolder, startDevWith, writeFiles } from "../test/helpers/dev.ts";

const missing = withoutBrowser();
if (missing) throw new Error(missing);

const TAGGER = `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.tags = (session.tags || []).concat(["over-quota"]);
log("tagged " + event.Meta.Key);
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`;
const BREAKER = `var plan = context.config_data && context.config_data.plans;
log("path " + event.Meta.Path);
if (event.Meta.CircuitEvent === 0) log(plan.length + " plans");`;
const FIXED = `var plan = (context.config_data && context.config_data.plans) || [];
log("path " + event.Meta.Path);
if (event.Meta.CircuitEvent === 0) log(plan.length + " plans");`;

const folder = await newFolder({
  "apis/orders.json": definition("orders", {
    KeyExpired: "renewal",
    QuotaExceeded: "tagger",
    BreakerTripped: "breaker",
    AuthFailure: "watch",
  }),
  "handlers/renewal.js": handler(
    "renewal",
    `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.expires = session.expires + 86400;
log("a day more for " + event.Meta.Key);
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`,
  ),
  "handlers/tagger.js": handler("tagger", TAGGER),
  "handlers/breaker.js": handler("breaker", BREAKER),
  "handlers/watch.js": handler("watch", 'log("refused: " + event.Meta.Key);'),
});
const dev = startDevWith(EMBEDDED, folder, "--set", "MAX_ATTEMPTS=1");
const browser = await startBrowser();
try {
  const [, url = ""] = await dev.says(/ready at (http:\S+)/);
  const [, link = ""] = await dev.says(/in a browser: (\S+)/);
  const at = (path: string) => link.replace("/console/events/last", path);
  const send = (Type: string, Meta: object) =>
    fetch(`${url}/events/orders`, { method: "POST", body: JSON.stringify({ event: { Type, Meta } }) });
  const session = (key: string, expires: number) =>
    fetch(`${url}/sessions/${key}`, {
      method: "PUT",
      body: JSON.stringify({
        org_id: "shop",
        alias: key.replace("key-", "customer "),
        rate: 100,
        per: 60,
        quota_max: 1_000,
        expires,
        access_rights: { orders: { api_id: "orders", api_name: "orders", versions: ["Default"] } },
      }),
    });
  const soon = Math.floor(Date.now() / 1_000) + 5_400;
  for (let n = 1; n <= 9; n += 1) await session(`key-${n}`, soon + n * 40_000);
  for (let n = 0; n < 60; n += 1) {
    const Key = `key-${1 + ((n * 7) % 9)}`;
    if (n % 5 === 0)
      await send("KeyExpired", { Key, Path: "/orders", Message: "Attempted access from expired key." });
    else if (n % 11 === 0) await send("AuthFailure", { Key: `unknown-${n}`, Path: "/orders" });
    else await send("QuotaExceeded", { Key, Path: "/orders", Message: "Key Quota Limit Exceeded" });
  }
  for (const Path of ["/orders/{id}", "/stock", "/orders/{id}"])
    await send("BreakerTripped", { Path, APIID: "orders", CircuitEvent: 0, Message: "Breaker Tripped" });
  for (let n = 0; n < 3; n += 1) await dev.says(/dead letter/);

  async function shoot(
    name: string,
    path: string,
    look = WIDE,
    walk: (on: TestPage) => Promise<unknown> = async () => {},
  ) {
    const on = await openPage(browser, at(path), look);
    await on.settled();
    await walk(on);
    await on.settled();
    const file = fileURLToPath(new URL(`../docs/images/console-${name}.png`, import.meta.url));
    await on.page.screenshot({ path: file });
    await on.close();
  }

  const failed = async (on: TestPage) => {
    await on.page.locator(".row").first().waitFor();
    await on.keys("j", "Enter");
    await on.page.locator(".detail .steps").waitFor();
  };
  await shoot("event", "/console/events?q=type:BreakerTripped", WIDE, failed);
  await shoot("events-dark", "/console/events", { ...WIDE, scheme: "dark" }, async (on) => {
    await on.page.locator(".row").nth(8).waitFor();
    await on.page.locator(".row", { hasText: "KeyExpired" }).first().click();
    await on.page.locator(".detail .steps").waitFor();
    await on.page.locator(".detail [role=tab]").nth(1).click();
  });
  await shoot("phone", "/console/events", { ...PHONE, scheme: "light" });
  await shoot("sessions", "/console/sessions/key-4?org=shop");
  await shoot("dead-letters", "/console/dead-letters", WIDE, async (on) => {
    await on.page.locator("main table a").first().click();
    await on.page.locator(".detail").waitFor();
  });
  await shoot("send", "/console/send", { ...WIDE, scheme: "dark" });
  await shoot("overview", "/console/overview?window=15m");
  await writeFiles(folder, { "handlers/breaker.js": handler("breaker", FIXED) });
  await dev.says(/release \w+ is live/);
  await shoot("rerun", "/console/events?q=type:BreakerTripped", WIDE, async (on) => {
    await failed(on);
    await on.keys("r");
    await on.page.locator(".pairs").waitFor();
  });
  await shoot("releases", "/console/releases", WIDE, async (on) => {
    await on.page.locator("main table a").nth(1).click();
    await on.keys("d");
    await on.page.locator(".lines").waitFor();
  });
} finally {
  await browser.close();
  await dev.end();
  rmSync(folder, { recursive: true });
}
