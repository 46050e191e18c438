import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { inTemporaryFolder } from "../../deploy/package.ts";
import { SERVICE_PATHS, writeService } from "../../deploy/service.ts";
import { errorText } from "../../lib/errors.ts";
import { serviceOf } from "../stage/service.ts";
import { readFolder, readTarget, stagesOf } from "../stage/target.ts";
import { print, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** `dir`: the folder with gatehook.json, into which the files are written. */
export interface EjectOptions {
  dir: string;
  json?: boolean;
}

/** `gatehook eject`: writes serverless.yml and its files into the folder. */
export async function eject({ dir, json }: EjectOptions): Promise<void> {
  const { folder, project } = await readFolder(dir);
  const there = SERVICE_PATHS.filter((path) => existsSync(join(folder, path)));
  if (there.length > 0)
    throw new UsageError(`${there.join(", ")} would be overwritten: move it away first, or remove it`);
  const stages = stagesOf(project);
  for (const stage of stages) await readTarget({ dir, stage });
  // If it fails, nothing is written into the folder.
  await inTemporaryFolder(async (service) => {
    await writeService(service, serviceOf(project));
    copy(service, folder);
  });
  if (json) printJson({ folder, written: SERVICE_PATHS });
  else
    print(`written: ${SERVICE_PATHS.join(", ")}`, `deploy it: npx osls deploy --stage ${stages[0] ?? "dev"}`);
}

function copy(service: string, folder: string): void {
  try {
    for (const path of SERVICE_PATHS)
      cpSync(join(service, path), join(folder, path), { recursive: true, errorOnExist: true, force: false });
  } catch (cause) {
    throw new UsageError(`${folder} cannot be written to: ${errorText(cause)}`, { cause });
  }
}
