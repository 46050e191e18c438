import type { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { AppError, errorText } from "../../lib/errors.ts";
import { type IsOwn, strangerIn } from "../../lib/ingest/stranger.ts";
import { createSecretCheck } from "../../lib/secrets.ts";
import { rejectionOf } from "../own-hosts.ts";
import { invalid } from "./asked.ts";
import type { Backend } from "./backend.ts";
import { createJobs, type Jobs } from "./jobs.ts";
import { HTML, type Page } from "./page.ts";
import { addRerunRoutes } from "./rerun-routes.ts";
import {
  addDeadLetterRoutes,
  addEventRoutes,
  addReleaseRoutes,
  addSessionRoutes,
  addSharedRoutes,
} from "./routes.ts";

/**
 * `isOwn`: whether a Host is one of this server's. `page` is called at the first request for a file of the page, and
 * again after a failure.
 */
export interface ConsoleOptions {
  backend: Backend;
  /** Gives access to the API. */
  token: string;
  isOwn: IsOwn;
  page: () => Promise<Page>;
}

/** `close` stops the jobs and waits until they have ended. */
export interface ConsoleApp {
  app: Hono;
  close(): Promise<void>;
}

const API = "/console/api/v1";

const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const HEADERS = {
  "content-security-policy": CSP,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

const MAX_BODY = 4 * 1024 * 1024;

/** The POST requests that change nothing. */
const LOOKS =
  /^\/console\/api\/v1\/(?:events\/check|sessions\/compare|selections|dead-letters\/sweep|dead-letters\/try|releases\/[^/]+\/try|events\/[^/]+\/rerun)$/;

/** The page of `/console` and its API. Hono is loaded with the first console, since most commands do not need it. */
export async function createConsoleApp({ backend, token, isOwn, page }: ConsoleOptions): Promise<ConsoleApp> {
  const { Hono } = await import("hono");
  const jobs: Jobs = createJobs();
  const isToken = createSecretCheck([token]);
  const app = new Hono();

  app.use(async (c, next) => {
    const headers = Object.fromEntries(c.req.raw.headers);
    const rejection = rejectionOf(headers, isOwn);
    if (rejection)
      return c.json(
        { error: { code: strangerIn(headers, isOwn), message: rejection.message } },
        rejection.status,
      );
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
  });

  let bundled: Promise<Page> | undefined;
  const built = () => {
    bundled ??= page();
    // An error in the page is reported each time until it is fixed.
    bundled.catch(() => {
      bundled = undefined;
    });
    return bundled;
  };
  app.get("/console/page.js", async (c) =>
    c.body((await built()).js, 200, { "content-type": "text/javascript" }),
  );
  app.get("/console/page.css", async (c) => c.body((await built()).css, 200, { "content-type": "text/css" }));

  const api = new Hono();
  api.use(async (c, next) => {
    const [, given = ""] = /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "") ?? [];
    if (!isToken(given))
      throw new AppError(
        "token-invalid",
        "the token is missing or wrong: open the link that gatehook printed",
      );
    const isLook = c.req.method === "GET" || (c.req.method === "POST" && LOOKS.test(c.req.path));
    if (!isLook && !backend.about.write)
      throw new AppError("read-only", "this console only reads: start it with --write to change something");
    await next();
  });
  api.use(async (c, next) => {
    checkBody(c.req.header());
    await next();
  });
  addSharedRoutes(api, backend, jobs);
  addEventRoutes(api, backend);
  addSessionRoutes(api, backend);
  addReleaseRoutes(api, backend);
  addDeadLetterRoutes(api, backend, jobs);
  addRerunRoutes(api, backend, jobs);
  api.all("*", (c) => {
    throw new AppError("path-unknown", `there is no ${c.req.method} ${c.req.path}: see ${API}/openapi.json`);
  });
  app.route(API, api);

  app.get("/console", (c) => c.html(HTML));
  app.get("/console/*", (c) => c.html(HTML));
  app.notFound((c) => c.json({ error: { code: "path-unknown", message: "there is nothing here" } }, 404));
  app.onError((thrown, c) => {
    const { status, code, message, field } = answerTo(thrown);
    return c.json(
      { error: { code, message, ...(field && { field }) } },
      status as ContentfulStatusCode,
      HEADERS,
    );
  });
  return { app, close: jobs.close };
}

/**
 * Checks the size of a body over HTTP/1.1, where a request without these two headers has no body. Hono's own middleware
 * for this makes a new request if there is no content-length, which fails with its server for Node.
 */
function checkBody(headers: Record<string, string>): void {
  if (headers["transfer-encoding"] !== undefined)
    throw invalid("transfer-encoding", "is not taken: send the body with a content-length");
  if (Number(headers["content-length"] ?? 0) > MAX_BODY)
    throw new AppError("event-too-large", `the request has more than ${MAX_BODY} bytes`);
}

/** Unknown errors are shown too: users with the token may see AWS's messages. */
function answerTo(thrown: unknown): {
  status: number;
  code: string;
  message: string;
  field?: string | undefined;
} {
  if (thrown instanceof AppError) return thrown;
  return { status: 500, code: "internal", message: errorText(thrown) };
}
