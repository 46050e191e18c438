import { relative } from "node:path";
import { gather } from "../../lib/attach/gather.ts";
import { unpatch } from "../../lib/attach/patch.ts";
import { detachConf } from "../../lib/attach/tyk-conf.ts";
import {
  type AttachOptions,
  CONF_MEMBERS,
  foldersOf,
  gatewayFiles,
  placesOf,
  staleFiles,
} from "../gateway-files.ts";
import { readGateway, refuseGatewayFolder } from "../gateway-folder.ts";
import { putFiles } from "../put-files.ts";
import { sayFiles } from "../terminal/attach-lines.ts";
import { print, printError, printJson } from "../terminal/print.ts";
import { problemLines } from "../terminal/problem-lines.ts";

/** `gatehook detach`: restores the gateway's files as they were before `attach`, with their scripts. */
export async function detach(options: AttachOptions): Promise<void> {
  const places = placesOf(options);
  const { dir, out } = await foldersOf(options);
  const folder = await readGateway(places);
  const gathered = await gather(folder);
  const old = unpatch(gathered);
  const members = folder.conf && detachConf(folder.conf);
  const wanted = gatewayFiles(out, old, members);
  await refuseGatewayFolder(wanted, places);
  const dryRun = Boolean(options.dryRun);
  const put = await putFiles(wanted, { dryRun });
  const files = [...put].map(([file, each]) => ({ path: relative(dir, file), put: each }));
  const stale = (await staleFiles(out, wanted)).map((file) => relative(dir, file));
  const { problems: errors } = gathered;
  if (errors.length > 0) process.exitCode = 1;
  if (options.json) return printJson({ dir, out, dryRun, files, stale, errors });
  sayFiles({ files, stale, dryRun });
  for (const problem of errors) printError(...problemLines("error", problem));
  if (dryRun) return;
  const there = relative(process.cwd(), out) || ".";
  print("", "Next, on each gateway host:", "");
  if (old.length > 0) print(`  copy ${there}/apps/ over ${places.apps}`);
  if (members) print(`  replace the members of ${places.tykConf} by those of ${there}/${CONF_MEMBERS}`);
  print("  restart the gateway");
}
