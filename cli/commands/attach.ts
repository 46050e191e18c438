import { join, posix, relative, resolve } from "node:path";
import { type Gathered, gather } from "../../lib/attach/gather.ts";
import { heldBy, patch } from "../../lib/attach/patch.ts";
import { attachConf, type TykConf } from "../../lib/attach/tyk-conf.ts";
import { type Target, TEMPLATE } from "../../lib/attach/webhook.ts";
import { checkRelease } from "../../lib/releases/check.ts";
import { examine, type Findings, readCandidate } from "../../lib/releases/examine.ts";
import { scriptFile } from "../../lib/releases/sources.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { liveStackIn } from "../dev/local-stack.ts";
import { type AttachOptions, foldersOf, gatewayFiles, placesOf, staleFiles } from "../gateway-files.ts";
import { readGateway, refuseGatewayFolder } from "../gateway-folder.ts";
import { putFiles, textOf } from "../put-files.ts";
import { type AttachReport, sayAttached } from "../terminal/attach-lines.ts";
import { printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/**
 * `gatehook attach`: makes a gatehook project of a gateway's handlers, and replaces them in its definitions by
 * webhooks.
 */
export async function attach(options: AttachOptions): Promise<void> {
  const url = options.url ?? (await liveStackIn(resolve(options.dir)))?.url;
  if (url === undefined)
    throw new UsageError(
      "--url is missing: the address that the gateway sends its events to. It is http://127.0.0.1:3000 for the " +
        "local stack, and the output HttpApiUrl for a deployment",
    );
  const report = await (await prepareAttach({ ...options, url }))();
  if (report.errors.length > 0) process.exitCode = 1;
  if (options.json) printJson(report);
  else sayAttached(report, placesOf(options));
}

/** Reads and checks everything, and returns the function that writes the files. Throws a UsageError. */
export async function prepareAttach(
  options: AttachOptions & { url: string },
): Promise<() => Promise<AttachReport>> {
  const places = placesOf(options);
  const { dir, out, own } = await foldersOf(options);
  const folder = await readGateway(places);
  const target = targetOf(options.url, folder.conf);
  const replace = Boolean(options.force);
  const gathered = await gather({
    ...folder,
    // The scripts of an attached gateway may have been removed.
    readScript: async (path) => (await folder.readScript(path)) ?? textOf(own(scriptFile(path))),
  });
  const findings = await findingsOf(gathered, replace ? undefined : own);
  const { files, ...where } = patch(gathered, target, heldBy(findings.errors));
  const wanted = [
    ...gathered.project.map(({ path, text }) => ({ file: own(path), text, replace })),
    ...gatewayFiles(out, files, folder.conf && attachConf(folder.conf, target)),
    { file: join(out, "templates", TEMPLATE.name), text: TEMPLATE.text, replace: true },
  ];
  await refuseGatewayFolder(wanted, places);
  const dryRun = Boolean(options.dryRun);
  return async () => {
    const put = await putFiles(wanted, { dryRun });
    return {
      url: target.url,
      dir,
      out,
      template: target.template,
      dryRun,
      files: [...put].map(([file, each]) => ({ path: relative(dir, file), put: each })),
      stale: (await staleFiles(out, wanted)).map((file) => relative(dir, file)),
      ...where,
      ...findings,
    };
  };
}

function targetOf(url: string, conf: TykConf | undefined): Target {
  const token = process.env.INGEST_TOKEN?.trim();
  return {
    url: checkedUrl(url),
    ...(token && { token }),
    template: posix.join(conf?.templatePath ?? "templates", TEMPLATE.name),
  };
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username || url.password)
    throw new UsageError("--url must be an http or https address without a query and without credentials");
  return url.href.replace(/\/+$/, "");
}

/**
 * The releaser's checks, and files that cannot be part of a release. `kept`: returns the existing file that is used if
 * it differs.
 */
async function findingsOf(
  { project, problems }: Gathered,
  kept: ((path: string) => string) | undefined,
): Promise<Findings> {
  const files = await Promise.all(
    project.map(async ({ path, text }) => ({
      path,
      text: (kept === undefined ? undefined : await textOf(kept(path))) ?? text,
    })),
  );
  const assets = loadAssets();
  const { errors, warnings } = await examine(readCandidate(files), (candidate) =>
    checkRelease(candidate, assets),
  );
  return { errors: [...problems, ...errors], warnings };
}
