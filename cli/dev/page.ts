import type { RequestListener } from "node:http";
import { join } from "node:path";
import { rowKey } from "../../lib/history/event-rows.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import type { Rerun } from "../../lib/history/rerun.ts";
import type { Served } from "../../local/console/serve.ts";
import { tokenIn } from "../../local/console/token.ts";
import { STATE_FOLDER } from "../../local/state-folder.ts";
import type { Shown } from "./console.ts";
import { noNews } from "./console-news.ts";

/** The file of the token in a folder of `dev`. */
export const tokenFile = (dir: string) => join(dir, STATE_FOLDER, "token");

/** The token is after the `#`, so that it is not sent to a server. `screen`: a path below `/console/`. */
export const consoleLink = (url: string, token: string, screen = "events/last") =>
  `${url}/console/${screen}#token=${token}`;

/** The page of a stack, loaded with its first request. */
export interface DevConsole {
  listener: RequestListener;
  token: string;
  /** Call this when the stack is running. */
  open(what: Shown): void;
  /** A line of the history was written. */
  recorded(): void;
  /** Another release may be live. */
  released(): void;
  /** Reports the rerun of a pinned event, or the reason why it was not run. */
  pinned(attempt: AttemptRecord, told: Rerun | string): void;
  close(): Promise<void>;
}

/** A request before `open` waits for it. `close` ends everything that the page has opened, if it was requested. */
export function createDevConsole(dir: string): DevConsole {
  const { promise: shown, resolve: open } = Promise.withResolvers<Shown>();
  const token = tokenIn(tokenFile(dir));
  const news = noNews();
  let served: Promise<Served> | undefined;

  const serve = async () => {
    const { serveDev } = await import("./console.ts");
    return serveDev(await shown, token, news);
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
    recorded: () => tellAll(news.recorded),
    released: () => tellAll(news.released),
    pinned(attempt, told) {
      news.pins.set(rowKey(attempt), told);
      tellAll(news.pinned);
    },
    close: async () => (await served?.catch(() => undefined))?.close(),
  };
}

function tellAll(listeners: Set<() => void>): void {
  for (const tell of listeners) tell();
}
