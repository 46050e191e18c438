import type { RequestListener } from "node:http";
import { join } from "node:path";
import type { Project } from "../lib/settings/project.ts";
import type { Served } from "../local/console/serve.ts";
import { tokenIn } from "../local/console/token.ts";
import type { Stack } from "../local/stack.ts";
import type { LiveFolder } from "./live-folder.ts";
import { STATE_FOLDER } from "./local-stack.ts";

/** In the folder that `dev` runs. */
export const tokenFile = (dir: string) => join(dir, STATE_FOLDER, "token");

export const consoleLink = (url: string, token: string) => `${url}/console/events/last#token=${token}`;

/** The page of a stack, loaded with its first request. */
export interface DevConsole {
  listener: RequestListener;
  token: string;
  /** Call this when there is a stack. */
  open(what: Shown): void;
  /** A line of the history was written. */
  recorded(): void;
  /** Another release may be live. */
  released(): void;
  close(): Promise<void>;
}

export interface Shown {
  dir: string;
  stack: Stack;
  folder: Pick<LiveFolder, "files">;
  project: Project;
  allowHosts: string[];
  isRecording: boolean;
}

export function createDevConsole(dir: string): DevConsole {
  const { promise: shown, resolve: open } = Promise.withResolvers<Shown>();
  const token = tokenIn(tokenFile(dir));
  const listeners = { recorded: new Set<() => void>(), released: new Set<() => void>() };
  let served: Promise<Served> | undefined;

  const serve = async () => {
    const { serveDev } = await import("./console-dev.ts");
    return serveDev(await shown, token, listeners);
  };

  return {
    token,
    open,
    listener(request, response) {
      served ??= serve();
      served.then(
        ({ listener }) => listener(request, response),
        (thrown: unknown) => {
          served = undefined;
          response
            .writeHead(500, { "content-type": "text/plain" })
            .end(`the console cannot start: ${thrown}\n`);
        },
      );
    },
    recorded: () => listeners.recorded.forEach((tell) => void tell()),
    released: () => listeners.released.forEach((tell) => void tell()),
    close: async () => (await served?.catch(() => undefined))?.close(),
  };
}
