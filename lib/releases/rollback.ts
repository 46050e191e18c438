import { AppError } from "../errors.ts";
import type { HistoryEntry } from "./report.ts";
import type { ReleaseStore } from "./store.ts";

/**
 * Makes a release live that was live before: the named one, or the last one before the live one. The content of the
 * bucket stays the newest upload, so the releaser does not undo the rollback until something else is uploaded.
 */
export async function rollBack(
  store: Pick<ReleaseStore, "pointer" | "history" | "entry" | "read" | "record">,
  wanted: string | undefined,
  now: () => number,
): Promise<{ from: string; to: string }> {
  const pointer = await store.pointer();
  const from = pointer.version;
  if (!from)
    throw refuse("no release is live yet, so there is none to go back from: gatehook push makes one");
  const target = wanted ? await store.entry(wanted) : lastBefore(from, await store.history());
  if (!target)
    throw refuse(
      wanted
        ? `there is no release ${wanted}: gatehook releases lists them`
        : `no release before ${from} was live: gatehook releases lists them, and rollback VERSION takes any that was`,
    );
  const to = target.version;
  if (to === from) throw refuse(`release ${to} is live already`);
  if (!target.live_at)
    throw refuse(`release ${to} was never live (it was refused): fix its files and upload them instead`);
  await mustBeThere(store, to);
  const entry = { ...target, live_at: new Date(now()).toISOString() };
  const { built, refused, settled } = pointer;
  if (!(await store.record(pointer, { version: to, built, refused, settled }, entry)))
    throw new AppError(
      "release-conflict",
      "another release went live at the same moment: look at gatehook releases and decide again",
    );
  return { from, to };
}

/** With a pointer to a missing release, new consumers could not start. */
async function mustBeThere(store: Pick<ReleaseStore, "read">, version: string): Promise<void> {
  try {
    await store.read(version);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    const message = `release ${version} cannot go live again: ${cause.message}. Choose another by gatehook releases, or upload its files`;
    throw new AppError(cause.code, message, { cause });
  }
}

/** The history is ordered newest first. */
function lastBefore(version: string, history: HistoryEntry[]): HistoryEntry | undefined {
  const at = history.findIndex((entry) => entry.version === version);
  return history.slice(at + 1).find(({ live_at }) => live_at);
}

const refuse = (message: string) => new AppError("release-invalid", message);
