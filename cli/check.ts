import { checkFolder } from "./folder.ts";
import { print, printError, printErrorText, printJson, printText } from "./print.ts";
import { problemLines, textsOf } from "./problem-lines.ts";

export interface CheckOptions {
  dir: string;
  json?: boolean;
}

/** `gatehook check`: the releaser's own checks on a folder, without AWS. */
export async function check({ dir, json }: CheckOptions): Promise<void> {
  const { version, release, files, errors, warnings } = await checkFolder(dir);
  const result = errors.length > 0 ? "refused" : "ok";
  if (result === "refused") process.exitCode = 1;
  if (json) {
    printJson({ version, result, errors, warnings });
    return;
  }
  const textOf = textsOf(files);
  for (const problem of warnings) print(...problemLines("warning", problem, textOf));
  for (const problem of errors) printError(...problemLines("error", problem, textOf));
  const size = `${release.apis.length} API(s), ${release.scripts.length} script(s)`;
  if (result === "ok") printText(`release ${version} would go live: ${size}, ${warnings.length} warning(s)`);
  else printErrorText(`this would be refused: ${errors.length} error(s), ${warnings.length} warning(s)`);
}
