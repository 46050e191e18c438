import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page, type Request } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of the browser: CHROMIUM_PATH, or the first of its names on the PATH. */
function chromiumPath(env = process.env): string | undefined {
  if (env.CHROMIUM_PATH) return env.CHROMIUM_PATH;
  const folders = (env.PATH ?? "").split(delimiter);
  return folders
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
}

const MISSING = "no chromium found: set CHROMIUM_PATH or install it (Debian: apt-get install chromium)";

/**
 * Why tests that need a browser are skipped, or false, as an option of `describe`. Throws if there is no browser
 * although CI or CHROMIUM_PATH is set.
 */
export function withoutBrowser(): string | false {
  const path = chromiumPath();
  if (path !== undefined && existsSync(path)) return false;
  if (process.env.CI || process.env.CHROMIUM_PATH)
    throw new Error(`${MISSING}; CHROMIUM_PATH is ${path ?? "not set"}`);
  return MISSING;
}

export interface Look {
  width: number;
  height: number;
  scheme: "light" | "dark";
}

export const WIDE: Look = { width: 1_280, height: 800, scheme: "light" };
export const PHONE: Look = { width: 320, height: 640, scheme: "dark" };

export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath() ?? "",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** A page in a browser. Closing it fails the test if there were errors or violations of its content security policy. */
export interface TestPage {
  page: Page;
  context: BrowserContext;
  /** Errors in the browser's console, except for failed requests. */
  complaints: string[];
  /** Presses keys, one after the other. */
  keys(...names: string[]): Promise<void>;
  /** Presses Tab until the focused element has these words. */
  tabTo(words: RegExp): Promise<void>;
  /** Waits until the page shows these words. */
  shows(words: RegExp | string): Promise<void>;
  /** Waits until all requests of the page are answered and painted, except for the stream, which does not end. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const MOST_TABS = 120;
const PATIENCE_MS = 20_000;
const FORGOTTEN_MS = 5_000;
/** The number of frames without an open request: a request that follows from an answer starts in the next frame. */
const CALM = 3;

export async function openPage(
  browser: Browser,
  link: string,
  { width, height, scheme }: Look,
): Promise<TestPage> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|ERR_/.test(message.text()))
      complaints.push(message.text());
  });
  page.on("dialog", (dialog) => {
    complaints.push(`a script opened a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  /** The open requests, with the time of their start. */
  const open = new Map<Request, number>();
  page.on("request", (request) => {
    if (!request.url().includes("/tail?")) open.set(request, performance.now());
  });
  /** The browser does not report the end of requests of a page that was left, so old ones are ignored. */
  const isWaited = (begun: number) => performance.now() - begun < FORGOTTEN_MS;
  for (const end of ["requestfinished", "requestfailed"] as const)
    page.on(end as "requestfinished", (request) => open.delete(request));
  await page.goto(link);
  return {
    page,
    context,
    complaints,
    async keys(...names) {
      for (const name of names) await page.keyboard.press(name);
    },
    async tabTo(words) {
      for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
        const text = await page.evaluate<string>(focusedText);
        if (words.test(text)) return;
        await page.keyboard.press("Tab");
      }
      assert.fail(`no Tab leads to ${words}:\n${await page.locator("body").innerText()}`);
    },
    async settled() {
      for (let calm = 0; calm < CALM; calm = [...open.values()].some(isWaited) ? 0 : calm + 1)
        await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))");
    },
    shows: (words) => page.getByText(words).filter({ visible: true }).first().waitFor(),
    async close() {
      await context.close();
      assert.deepEqual(complaints, []);
    },
  };
}

const focusedText = `(() => {
  const { activeElement: at } = document;
  if (!at || at === document.body) return "";
  const label = at.labels?.[0]?.textContent ?? "";
  return [at.getAttribute("aria-label") ?? "", label, at.matches("a, button, summary") ? at.textContent : ""].join(" ");
})()`;

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Fails with each rule of WCAG 2.2 AA and of axe's best practices that the page violates. */
export async function checkAccess(page: Page, where: string): Promise<void> {
  await page.evaluate(`${readFileSync(AXE, "utf8")}; 0`);
  const violations = await page.evaluate<string[]>(
    `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then(
      ({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ target, failureSummary }) => target + " " + failureSummary).join("; ")))`,
  );
  assert.deepEqual(violations, [], where);
  const sideways = await page.evaluate<number>(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  assert.ok(sideways <= 0, `${where}: it scrolls sideways by ${sideways} px`);
}
