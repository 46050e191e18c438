import type { Releases as Answer, ReleaseDiff } from "../../console/answers.ts";
import { AppError } from "../../lib/errors.ts";
import { releaseDiff } from "../../lib/releases/diff.ts";
import { rollBack } from "../../lib/releases/rollback.ts";
import type { Backend, Releases } from "./backend.ts";

/** With the recorded runs and failures of each. */
export async function listReleases({ store }: Releases, { history }: Backend): Promise<Answer> {
  const [{ version: live = "" }, entries] = await Promise.all([store.pointer(), store.history()]);
  const figures = new Map<string, { runs: number; failed: number }>();
  // By attempt: an event that failed here and was done on another release counts for both.
  for (const { release, failed } of history?.index.events().flatMap(({ ended }) => ended) ?? []) {
    const known = figures.get(release) ?? { runs: 0, failed: 0 };
    known.runs += 1;
    if (failed) known.failed += 1;
    figures.set(release, known);
  }
  const none = { runs: 0, failed: 0 };
  return { live, releases: entries.map((entry) => ({ ...entry, ...(figures.get(entry.version) ?? none) })) };
}

/** `live` names the one in use. */
export async function diffReleases({ store }: Releases, a: string, b: string): Promise<ReleaseDiff> {
  const { version: live } = await store.pointer();
  const [from, to] = [a, b].map((name) => (name === "live" ? live : name));
  if (!from || !to) throw new AppError("release-missing", "no release is live yet");
  const [before, after] = await Promise.all([store.read(from), store.read(to)]);
  return { from, to, parts: releaseDiff(before, after) };
}

/** Only from the release that the user saw live. Throws `release-conflict` if another one is live now. */
export async function rollBackTo(
  { store }: Releases,
  to: string,
  seen: unknown,
): Promise<{ from: string; to: string }> {
  if (typeof seen !== "string" || seen === "")
    throw new AppError(
      "request-invalid",
      "expect_live is missing: the version that was live when you decided",
      {
        field: "expect_live",
      },
    );
  const { version } = await store.pointer();
  if (version !== seen)
    throw new AppError(
      "release-conflict",
      `release ${version} is live now, not ${seen}: look at the releases and decide again`,
    );
  return rollBack(store, to, Date.now);
}
