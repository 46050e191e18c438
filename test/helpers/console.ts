import { rm } from "node:fs/promises";
import { devBackend } from "../../cli/dev/console.ts";
import { noNews } from "../../cli/dev/console-news.ts";
import { keepHistory } from "../../cli/dev/history.ts";
import { createLogLines } from "../../cli/dev/log-lines.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import { NO_PROJECT } from "../../lib/settings/project.ts";
import { type ConsoleApp, createConsoleApp } from "../../local/console/app.ts";
import type { Backend } from "../../local/console/backend.ts";
import { readSourceFiles } from "../../local/files.ts";
import { ownHosts } from "../../local/own-hosts.ts";
import { startTestStack, type TestStack } from "./stack.ts";

const TOKEN = "t".repeat(43);
const PORT = 3000;
export const HOST = `127.0.0.1:${PORT}`;

/** A stack with its console, as in `gatehook dev`; requests are passed to it without a port. */
export interface TestConsole {
  stack: TestStack;
  dir: string;
  backend: Backend;
  app: ConsoleApp["app"];
  /** The same with another part in its backend. */
  with(other: Partial<Backend>): Promise<ConsoleApp["app"]>;
  /** Sends a request with the token; returns the status and the JSON. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Makes a release of these files. */
  release(files: SourceFile[]): Promise<void>;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asks for
  json: any;
}

export async function startTestConsole(dir: string): Promise<TestConsole> {
  const news = noNews();
  const facts = createLogLines(() => {});
  const history = keepHistory(dir, 10_000, facts, () => {
    for (const tell of news.recorded) tell();
  });
  const stack = await startTestStack({ folder: dir, onHistory: history.append, onLine: facts.onLine });
  const folder = { files: await readSourceFiles(dir) };
  const { backend, close: closeBackend } = await devBackend(
    { dir, stack, folder, project: NO_PROJECT, allowHosts: [], isRecording: true },
    news,
  );
  const open = (given: Backend) =>
    createConsoleApp({
      backend: given,
      token: TOKEN,
      isOwn: ownHosts(PORT),
      page: async () => ({ js: "", css: "" }),
    });
  const { app, close } = await open(backend);
  return {
    stack,
    dir,
    backend,
    app,
    with: async (other) => (await open({ ...backend, ...other })).app,
    ask: (method, path, body, headers) => askApp(app, method, path, body, headers),
    async release(files) {
      await Promise.all(files.map((file) => stack.releases.writeSource(file)));
      await stack.release();
      for (const tell of news.released) tell();
    },
    async close() {
      await close();
      await closeBackend();
      history.close();
      await stack.close();
      await rm(dir, { recursive: true });
    },
  };
}

export async function askApp(
  app: ConsoleApp["app"],
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await app.request(`http://${HOST}/console/api/v1${path}`, {
    method,
    headers: { host: HOST, authorization: `Bearer ${TOKEN}`, ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, headers: answer.headers, json: await answer.json().catch(() => undefined) };
}
