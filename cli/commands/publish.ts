import { isIPv4 } from "node:net";
import { resolve } from "node:path";
import { readRedact } from "../../functions/redact.ts";
import { choice, text } from "../../functions/settings.ts";
import { AppError, errorText } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Publisher, Status } from "../../lib/publisher/publisher.ts";
import { type Listen, type PublisherServer, startServer } from "../../lib/publisher/server.ts";
import { makeStateFolder, STATE_FOLDER } from "../../local/state-folder.ts";
import { openOnThisMachine } from "../open-publisher.ts";
import { countOf } from "../terminal/count.ts";
import { interruption, whenAborted } from "../terminal/interrupt.ts";
import { print, printError, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** `listen`: a port, an address with a port, or `systemd`. `queue` is a URL; without it, that of the stack is used. */
export interface PublishOptions {
  listen: string;
  queue?: string;
  local?: boolean;
  stage?: string;
  spool: string;
  spoolMb: number;
  drainSeconds: number;
  statsSeconds: number;
  allowNetwork?: boolean;
  json?: boolean;
}

/**
 * `gatehook publish`: receives events on this machine until it is stopped, and then prints the number of unsent events.
 */
export async function publish(options: PublishOptions): Promise<void> {
  const address = addressIn(options);
  const stop = interruption();
  const queueUrl = queueIn(options);
  const say = options.json ? () => {} : print;
  const publisher = await open(options, queueUrl);
  let server: PublisherServer;
  try {
    server = await listen(publisher, address);
  } catch (thrown) {
    await publisher.close(0);
    throw thrown;
  }
  log.info("listening", {
    url: server.url,
    pid: process.pid,
    queue: queueUrl,
    spool: resolve(options.spool),
  });
  say(`gatehook takes events at ${server.url}/events/{api_id} for ${queueUrl}`);
  const seconds = options.statsSeconds;
  const stats =
    seconds > 0 && setInterval(() => log.info("stats", { ...publisher.status() }), seconds * 1_000);
  await whenAborted(stop).catch(() => {});
  if (stats) clearInterval(stats);
  const drainMs = options.drainSeconds * 1_000;
  await server.close(AbortSignal.timeout(Math.max(drainMs, ANSWER_MS)));
  const status = await publisher.close(drainMs);
  log.info("ended", { ...status });
  if (options.json) printJson(status);
  else say(leftLine(status, options));
}

/** The time for requests in progress at the end. */
const ANSWER_MS = 1_000;

function leftLine({ sent, spooled }: Status, { spool }: PublishOptions): string {
  return `${countOf(sent, "event")} sent, ${spooled} left in ${spool}`;
}

const log: Log = {
  info: (message, fields) => writeLine("info", message, fields),
  warn: (message, fields) => writeLine("warn", message, fields),
  error: (message, fields) => writeLine("error", message, fields),
};

const writeLine = (level: string, message: string, fields: Record<string, unknown>) =>
  printError(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));

interface Address {
  at: Listen;
  anyHost: boolean;
}

// https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
/** The file descriptor of the first socket that systemd passes. */
const FIRST_SOCKET = 3;

function addressIn({ listen, allowNetwork = false }: PublishOptions): Address {
  if (listen === "systemd") {
    if (Number(process.env.LISTEN_PID) !== process.pid || !(Number(process.env.LISTEN_FDS) >= 1))
      throw new UsageError("--listen systemd: systemd passed no socket: start gatehook-publish.socket");
    return { at: { fd: FIRST_SOCKET }, anyHost: allowNetwork };
  }
  const [, bracketed, plain, digits] =
    /^(?:(?:\[([\da-f:]+)\]|([^\s:[\]]+)):)?(\d{1,5})$/i.exec(listen) ?? [];
  const host = bracketed ?? plain ?? "127.0.0.1";
  const port = Number(digits ?? Number.NaN);
  if (!(port <= 65_535))
    throw new UsageError(`--listen is ${listen}: it must be an address and a port, such as 127.0.0.1:9180`);
  checkReach(host, allowNetwork);
  return { at: { host, port }, anyHost: allowNetwork };
}

function checkReach(host: string, allowNetwork: boolean): void {
  if (isLoopback(host) || allowNetwork) return;
  throw new UsageError(
    `${host} may be reached by other machines, and there is no token: listen on 127.0.0.1, or add --allow-network where the network lets only the gateway in`,
  );
}

const isLoopback = (host: string) =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));

function queueIn({ queue, local, stage }: PublishOptions): string {
  if (queue === undefined) return text(process.env, "EVENTS_QUEUE_URL");
  if (local || stage !== undefined)
    throw new UsageError("--queue names the queue, and so do --local and --stage: leave one of them out");
  if (!/^https?:\/\/[^/]+\/.+/.test(queue))
    throw new UsageError(`--queue is ${queue}: it must be the URL of a queue`);
  return queue;
}

async function open({ spool, spoolMb }: PublishOptions, queueUrl: string): Promise<Publisher> {
  const redact = readRedact(process.env);
  const oversize = choice(process.env, "OVERSIZE");
  if (spool.startsWith(`${STATE_FOLDER}/`)) makeOwnFolder();
  return openOnThisMachine({ queueUrl, folder: spool, maxBytes: spoolMb * 1_000_000, redact, oversize, log });
}

/** Creates gatehook's folder in a user's folder. */
function makeOwnFolder(): void {
  try {
    makeStateFolder(STATE_FOLDER);
  } catch (cause) {
    throw new AppError("spool-failed", `${STATE_FOLDER} cannot be written to: ${errorText(cause)}`, {
      cause,
    });
  }
}

async function listen(publisher: Publisher, address: Address): Promise<PublisherServer> {
  const server = await startServer({ ...address, publisher, log }).catch((cause: unknown) => {
    const busy = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    const why = busy ? "it is in use: stop what listens there, or choose another port" : errorText(cause);
    const where = "fd" in address.at ? "the socket of systemd" : `${address.at.host}:${address.at.port}`;
    throw new AppError("local-failed", `${where} cannot be listened on: ${why}`, { cause });
  });
  try {
    checkReach(server.host, address.anyHost);
    return server;
  } catch (thrown) {
    await server.close(AbortSignal.abort());
    throw thrown;
  }
}
