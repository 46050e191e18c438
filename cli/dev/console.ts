import { join } from "node:path";
import { createQueue } from "../../lib/dead-letters/queue.ts";
import { AppError } from "../../lib/errors.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import type { Project } from "../../lib/settings/project.ts";
import type { Backend, RecordedEvents } from "../../local/console/backend.ts";
import { createHistoryIndex } from "../../local/console/history-index.ts";
import { type Served, serveConsole } from "../../local/console/serve.ts";
import { createHistoryReader } from "../../local/history-reader.ts";
import { ownHosts } from "../../local/own-hosts.ts";
import type { Stack } from "../../local/stack.ts";
import { saveCase } from "../commands/events-save.ts";
import { UsageError } from "../terminal/usage.ts";
import { createFrames, createSender, sessionsAt, shownSettings } from "./console-backend.ts";
import type { News } from "./console-news.ts";
import { openReruns } from "./console-reruns.ts";
import { historyFolder } from "./history.ts";
import type { LiveFolder } from "./live-folder.ts";

/** The data for the page. `allowHosts`: host names that are allowed in requests, in addition to those of loopback. */
export interface Shown {
  dir: string;
  stack: Stack;
  folder: Pick<LiveFolder, "files">;
  project: Project;
  allowHosts: string[];
  isRecording: boolean;
}

/** The console of `gatehook dev`. */
export async function serveDev(shown: Shown, token: string, news: News): Promise<Served> {
  const { port } = new URL(shown.stack.url);
  const { backend, close } = await devBackend(shown, news);
  const served = await serveConsole(backend, token, ownHosts(Number(port), shown.allowHosts));
  return {
    listener: served.listener,
    async close() {
      await served.close();
      await close();
    },
  };
}

/** The backend of a stack on this machine, with its history. */
export async function devBackend(
  shown: Shown,
  news: News,
): Promise<{ backend: Backend; close(): Promise<void> }> {
  const { dir, stack, folder, isRecording } = shown;
  const reruns = openReruns(dir, stack, news.pins, news.pinned);
  const queue = (queueUrl: string) => createQueue({ sqs: stack.clients.sqs, queueUrl });
  const backend: Backend = {
    about: { mode: "dev", place: dir, dir, url: stack.url, write: true, settings: shownSettings(stack.env) },
    history: isRecording ? await openHistory(shown, news) : undefined,
    historyState: isRecording ? RECORDING : NOT_RECORDING,
    sender: createSender(stack.url, () => folder.files),
    sessions: sessionsAt(stack.url),
    releases: {
      store: stack.releases,
      onChange(listener) {
        news.released.add(listener);
        return () => news.released.delete(listener);
      },
    },
    deadLetters: {
      letters: queue(stack.resources.DEAD_LETTERS_QUEUE_URL),
      events: queue(stack.resources.EVENTS_QUEUE_URL),
    },
    reruns: isRecording ? reruns.port : undefined,
    saveTest: (attempt, name) => saveTest(dir, attempt, name),
  };
  return { backend, close: reruns.close };
}

const RECORDING: Backend["historyState"] = { on: true, why: "", content: "full" };
const NOT_RECORDING: Backend["historyState"] = {
  on: false,
  why: "gatehook dev --history 0 records no events: start it without --history",
  content: "",
};

/** Below `tests/`, whatever the handler is called. */
async function saveTest(dir: string, attempt: AttemptRecord, name: string): Promise<string> {
  if (!/^[\w-][\w.-]{0,99}$/.test(name))
    throw new AppError("request-invalid", "name must have 1 to 100 letters, digits, . _ and -", {
      field: "name",
    });
  const handler = (attempt.runs[0]?.handler ?? attempt.event.Type)
    .replaceAll(/[^\w.-]/g, "-")
    .replace(/^\.+/, "");
  const path = join("tests", handler || "events", `${name}.json`);
  try {
    await saveCase(attempt, join(dir, path));
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new AppError("request-invalid", `${path} is there already: choose another name`, {
      field: "name",
      cause,
    });
  }
  return path;
}

/** Reads the existing history, and again after each write. */
async function openHistory({ dir, stack, project }: Shown, { recorded }: News): Promise<RecordedEvents> {
  const read = () => createHistoryReader(historyFolder(dir));
  const index = createHistoryIndex(read());
  await index.refresh();
  let isSoon = false;
  recorded.add(() => {
    if (isSoon) return;
    isSoon = true;
    setTimeout(() => {
      isSoon = false;
      index.refresh().catch(() => {}); // The folder may have been deleted: it is created again with the next line.
    }, SOON_MS);
  });
  return { index, read, frameOf: createFrames(stack.releases, { dir, folders: project.folders }) };
}

/** The delay before a read, so that lines that are written together are read together. */
const SOON_MS = 20;
