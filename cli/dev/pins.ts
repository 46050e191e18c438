import { AppError, errorText } from "../../lib/errors.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import type { Rerun, Reruns, Verdict } from "../../lib/history/rerun.ts";
import { createTurns } from "../../lib/in-turn.ts";
import type { Pins } from "../../local/pins.ts";
import type { Sources } from "../bundle/sources.ts";
import { pinsOf } from "../commands/events-pin.ts";
import { shortId } from "../events-rows.ts";
import { row } from "../terminal/timeline.ts";
import type { LiveFolder } from "./live-folder.ts";

const MARKS: Record<Verdict, string> = { same: "✓", done: "✓", differs: "≠", fails: "✗" };

/**
 * Reruns the pinned events on the files of the folder after each save, and reports the results. Returns a function that
 * ends this.
 */
export function followPins(
  dir: string,
  folder: LiveFolder,
  say: (...lines: string[]) => void,
  onTold: (attempt: AttemptRecord, told: Rerun | string) => void = () => {},
): () => Promise<void> {
  const pins = pinsOf(dir);
  let reruns: Promise<Reruns> | undefined;
  const inTurn = createTurns();
  let newest: Sources | undefined;

  async function look(sources: Sources): Promise<void> {
    // If saves are faster than this, only the newest one is used.
    if (sources !== newest) return;
    const pinned = listed(pins, say);
    if (pinned.length === 0) return;
    const { targetIn, linesOf, open } = await import("./pin-reruns.ts");
    reruns ??= Promise.resolve(open());
    try {
      const target = targetIn(sources);
      for (const attempt of pinned) {
        const told = await rerunOrWhy(await reruns, attempt, target);
        say(`  ${row("pinned", headOf(attempt, told))}`);
        onTold(attempt, told);
        if (typeof told === "string" || told.verdict === "same") continue;
        say(...linesOf(told, target));
        if (!told.exact) say(`    not exact: ${told.why.join("; ")}`);
      }
    } catch (thrown) {
      // Problems of the files are reported by their upload.
      if (!(thrown instanceof AppError)) throw thrown;
    }
  }

  folder.onSave((sources) => {
    newest = sources;
    inTurn(() => look(sources)).catch((thrown: unknown) =>
      say(`  ${row("pinned", `not run again: ${errorText(thrown)}`)}`),
    );
  });
  return async () => {
    newest = undefined;
    await inTurn(() => {});
    await (await reruns)?.close();
  };
}

function listed(pins: Pins, say: (...lines: string[]) => void): AttemptRecord[] {
  try {
    return pins.list();
  } catch (thrown) {
    say(`  ${row("pinned", errorText(thrown))}`);
    return [];
  }
}

type Target = Parameters<Reruns["rerun"]>[1];

async function rerunOrWhy(reruns: Reruns, attempt: AttemptRecord, target: Target): Promise<Rerun | string> {
  try {
    return await reruns.rerun(attempt, target);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "not-recorded") return thrown.message;
    throw thrown;
  }
}

function headOf({ id, event }: AttemptRecord, told: Rerun | string): string {
  const name = `${event.Type} ${shortId(id)}`;
  return typeof told === "string" ? told : `${MARKS[told.verdict]} ${name} ${told.verdict}`;
}
