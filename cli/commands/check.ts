import type { Release } from "../../lib/releases/release.ts";
import { checkFolder } from "../folder.ts";
import { countOf, sizeText } from "../terminal/count.ts";
import { print, printError, printErrorText, printJson, printText } from "../terminal/print.ts";
import { problemLines } from "../terminal/problem-lines.ts";

/** `dir`: the folder with definitions and scripts. */
export interface CheckOptions {
  dir: string;
  json?: boolean;
}

/** `gatehook check`: the releaser's own checks on a folder, without AWS. */
export async function check({ dir, json }: CheckOptions): Promise<void> {
  const folder = await checkFolder(dir);
  const { version, release, sources, errors, warnings } = folder;
  // The live release is unknown here: the APIs with errors would keep their live version.
  const partly = errors.length > 0 ? await folder.partBeside(undefined) : undefined;
  const result = errors.length === 0 ? "ok" : partly ? "partly" : "refused";
  const held = partly?.leftOut ?? [];
  if (result !== "ok") process.exitCode = 1;
  if (json) {
    printJson({ version, result, ...(partly && { held }), errors, warnings });
    return;
  }
  const { textOf } = sources;
  for (const problem of warnings) print(...problemLines("warning", problem, textOf));
  for (const problem of errors) printError(...problemLines("error", problem, textOf));
  const size = sizeOf(partly?.candidate.release ?? release);
  const warned = countOf(warnings.length, "warning");
  const counts = `${countOf(errors.length, "error")}, ${warned}`;
  if (result === "ok") printText(`release ${version} would go live: ${size}, ${warned}`);
  else if (partly) {
    printErrorText(`only a part would go live: ${size}, ${counts}`);
    printErrorText(
      `what is live would stay for ${held.join(", ")}, unless RELEASE_STRICT keeps the whole release`,
    );
  } else printErrorText(`this would be refused: ${counts}`);
}

const sizeOf = ({ apis, scripts }: Release) => sizeText({ apis: apis.length, scripts: scripts.length });
