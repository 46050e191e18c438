import { checkFolder } from "./folder.ts";
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
    console.log(JSON.stringify({ version, result, errors, warnings }));
    return;
  }
  const textOf = textsOf(files);
  for (const problem of warnings) console.log(problemLines("warning", problem, textOf).join("\n"));
  for (const problem of errors) console.error(problemLines("error", problem, textOf).join("\n"));
  const size = `${release.apis.length} API(s), ${release.scripts.length} script(s)`;
  if (result === "ok")
    console.log(`release ${version} would go live: ${size}, ${warnings.length} warning(s)`);
  else console.error(`this would be refused: ${errors.length} error(s), ${warnings.length} warning(s)`);
}
