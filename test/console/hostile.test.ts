// What scripts, hosts and gateways wrote, on each screen of the page: text, and nothing else.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { attemptSaying } from "../helpers/attempt-saying.ts";
import { openPage, startBrowser, WIDE, withoutBrowser } from "../helpers/browser.ts";
import { definition, handler } from "../helpers/dev.ts";
import { FILES, folderWith, type PageDev, startWith } from "../helpers/page-dev.ts";

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

const hostileAttempt = (id: string): AttemptRecord => ({
  ...attemptSaying(HOSTILE),
  id,
  at: at(1),
  outcome: "dead",
});

describe("what others wrote", { skip: withoutBrowser() }, () => {
  let browser: Browser;
  let folder = "";
  let own: PageDev;
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
