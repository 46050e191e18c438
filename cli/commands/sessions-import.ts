import { setTimeout as delay } from "node:timers/promises";
import { baseUrl, headerText, integer, isSet } from "../../functions/settings.ts";
import { connectGateway, type Gateway } from "../../lib/gateway/client.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import { createImport, emptyImport, type ImportEnd, type ImportTally } from "../../lib/sessions/import.ts";
import { fileSource, gatewaySource } from "../import-source.ts";
import { copyTarget, tableTarget } from "../import-target.ts";
import { startLeftOut } from "../left-out.ts";
import { type OpenRows, openSessionRows } from "../stage/open-table.ts";
import { countOf } from "../terminal/count.ts";
import { interruption } from "../terminal/interrupt.ts";
import { print, printError, printJson } from "../terminal/print.ts";
import { startProgress } from "../terminal/progress.ts";
import { UsageError } from "../terminal/usage.ts";

/** Sessions are imported from a file or from a gateway. `fromLine` counts from 1; earlier lines are skipped. */
export interface ImportOptions {
  /** The address of a gateway; `true` means that of GATEWAY_URL. */
  gateway?: string | true;
  /** A file with the keys to read from the gateway, instead of its list. */
  keys?: string;
  /** Whether keys are hashes if the file does not say. */
  hashed?: boolean;
  fromLine: number;
  /** Writes per second, and requests to a gateway. */
  rate: number;
  /** A file for the skipped sessions. */
  report?: string;
  dryRun?: boolean;
  json?: boolean;
}

/** The number of sessions that are written at the same time. */
const CONCURRENCY = 32;

/** `gatehook sessions import`: imports sessions from a file or a gateway into the table. */
export async function sessionsImport(file: string | undefined, options: ImportOptions): Promise<void> {
  checkArguments(file, options);
  const { rate, keys, fromLine, hashed = false, dryRun = false } = options;
  const open = await openSessionRows();
  const stop = interruption();
  const pause = (ms: number) => delay(ms, undefined, { signal: stop }).catch(() => {});
  const newPace = () => createRateLimit({ rate, now: Date.now, delay: pause, stop });
  const gateway = options.gateway === undefined ? undefined : connectTo(options.gateway, open);
  const unit = file === undefined && keys === undefined ? "key" : "line";
  const leftOut = await startLeftOut(options.report, unit);
  const tally = emptyImport();
  const progress = startProgress(progressOf(tally, unit));
  try {
    const isCopy = gateway !== undefined && open.owner !== undefined;
    const target = isCopy
      ? copyTarget(open, newPace())
      : tableTarget(open, newPace(), { areHashes: hashed, dryRun });
    const source = gateway
      ? await gatewaySource({ gateway, hashed: isCopy ? open.hashed : "", keys, fromLine, pace: newPace() })
      : fileSource(file ?? "-", fromLine);
    const load = createImport({ ...target, concurrency: CONCURRENCY, onLeftOut: leftOut.add });
    const end = await load(source, tally);
    progress.end();
    await leftOut.end();
    tell(tally, end, unit, options);
    if (!end.complete || tally.refused > 0) process.exitCode = 1;
    if (end.error !== undefined) throw end.error;
  } finally {
    progress.end();
    await gateway?.close();
  }
}

function checkArguments(file: string | undefined, { gateway, keys, hashed, dryRun }: ImportOptions): void {
  if (file === undefined && gateway === undefined)
    throw new UsageError("name a file, - for standard input, or a gateway with --gateway");
  if (file !== undefined && gateway !== undefined)
    throw new UsageError("sessions come from a file or from a gateway: leave one of them out");
  if (keys !== undefined && gateway === undefined) throw new UsageError("--keys is for --gateway");
  if (hashed && gateway !== undefined)
    throw new UsageError("--hashed is for a file: a gateway is asked for raw keys");
  if (dryRun && gateway !== undefined && isSet(process.env, "GATEWAY_URL"))
    throw new UsageError(
      "--dry-run is for what is not the gateway's that owns the sessions: sessions diff shows those",
    );
}

/** The gateway to read: the one that owns the sessions, or any gateway if the table owns them. */
function connectTo(address: string | true, { owner, hashed }: OpenRows): Gateway {
  const { env } = process;
  const named = address === true ? undefined : URL.parse(address);
  if (named === null) throw new UsageError("--gateway must be an http or https URL");
  if (owner) {
    if (named !== undefined && named.href !== owner.url.href)
      throw new UsageError("GATEWAY_URL names the gateway that owns the sessions: import from that one");
    return connectGateway({ ...owner, hashed: hashed !== "" });
  }
  const url = baseUrl({ GATEWAY_URL: named?.href }, "GATEWAY_URL");
  const secret = headerText(env, "GATEWAY_SECRET");
  return connectGateway({ url, secret, hashed: false, timeoutMs: integer(env, "GATEWAY_TIMEOUT_MS") });
}

function progressOf(tally: ImportTally, unit: string): () => string {
  const started = performance.now();
  return () => {
    const perSecond = Math.round(tally.read / ((performance.now() - started) / 1_000));
    const written = tally.added + tally.replaced;
    return `${countOf(tally.read, unit)}, ${perSecond}/s, ${written} written, ${tally.refused} refused`;
  };
}

function tell(
  tally: ImportTally,
  end: ImportEnd,
  unit: string,
  { json, dryRun = false }: ImportOptions,
): void {
  const { read, added, replaced, unchanged, kept, refused, passed } = tally;
  if (json) printJson({ complete: end.complete, dry_run: dryRun, [`done_to_${unit}`]: end.doneTo, ...tally });
  else {
    const would = dryRun ? "would be " : "";
    print(
      `${countOf(read, unit)} read: ${added} ${would}added, ${replaced} ${would}replaced, ${unchanged} unchanged`,
    );
    if (kept > 0) print(`${countOf(kept, "session")} left as they are: what is there is not older`);
    if (passed > 0) print(`${countOf(passed, unit)} passed over: not of a session`);
  }
  if (refused > 0) printError(`${countOf(refused, unit)} refused`);
  if (end.complete) return;
  const from = end.doneTo + 1;
  printError(`gatehook: stopped. All is done up to ${unit} ${end.doneTo}: go on with --from-line ${from}`);
}
