import { useState } from "preact/hooks";
import type { Job, Pinned, RerunAnswer, Tried } from "./answers.ts";
import { ask, eventPath } from "./api.ts";
import { Copy, Notice } from "./parts.tsx";
import { link } from "./router.ts";
import { state } from "./state.ts";
import { countOf, quoted, shown, shownLines } from "./text.ts";

/** On which release an event is run again. */
export const TARGETS = {
  working: "the files of the folder",
  live: "the live release",
  recorded: "the release that ran it",
};
export type Target = keyof typeof TARGETS;

type Ref = { id: string; api_id: string };

/** `attempt`: the nth recorded attempt; by default the last one in which a handler ran. */
export interface RerunChoice {
  release: string;
  http: "recorded" | "live";
  attempt?: number;
  /** An edited event that replaces the recorded one. */
  edit?: unknown;
}

export const runAgain = (row: Ref, asked: RerunChoice) =>
  ask<RerunAnswer>("POST", eventPath(row, "/rerun"), { body: asked });

const commandOf = ({ id, api_id }: Ref, { release, http, attempt }: RerunChoice) =>
  [
    `npx gatehook replay ${quoted(id)} --release ${quoted(release)} --api ${quoted(api_id)}`,
    ...(http === "live" ? ["--http live"] : []),
    ...(attempt === undefined ? [] : [`--attempt ${attempt}`]),
  ].join(" ");

export const setPin = (row: Ref, on: boolean) =>
  ask<{ pins: Pinned[] }>("POST", eventPath(row, "/pin"), { body: { on } });

const VERDICTS: Record<RerunAnswer["verdict"] | "not run" | "", [mark: string, look: string, text: string]> =
  {
    same: ["✓", "done", "same as recorded"],
    done: ["✓", "done", "failed before, done now"],
    differs: ["≠", "wait", "differs from the record"],
    fails: ["✗", "fail", "fails now"],
    "not run": ["–", "muted", "was not run"],
    "": ["…", "muted", "waits for a save"],
  };

function VerdictText({ of }: { of: keyof typeof VERDICTS }) {
  const [mark, look, text] = VERDICTS[of];
  return (
    <span class={look}>
      <span aria-hidden="true">{mark}</span> {text}
    </span>
  );
}

/** The recorded run beside the new one, in place of the timeline. */
export function RerunResult({
  row,
  told,
  asked,
  onClose,
}: {
  row: Ref;
  told: RerunAnswer;
  asked: RerunChoice;
  onClose: () => void;
}) {
  const { verdict, exact, why, then, now, diff, diverged_at } = told;
  return (
    <section aria-label="Rerun">
      <div class="actions">
        <strong>
          <VerdictText of={verdict} />
        </strong>
        <span>
          outcome {then.outcome} → {now.outcome}
        </span>
        <span class="muted">
          {then.ms} → {now.ms} ms
        </span>
        <button type="button" onClick={onClose}>
          {asked.edit === undefined ? "Back to the timeline" : "Close"}
        </button>
        {asked.edit === undefined && <Copy text={commandOf(row, asked)} />}
      </div>
      <p class="muted">
        Dry: nothing was written or sent. {exact ? "Exact ✓" : `Not exact: ${why.map(shown).join("; ")}.`}
      </p>
      {now.outcome === "failed" && now.error !== then.error && (
        <Notice kind="fail">{shown(now.error.split("\n", 1)[0] ?? "")}</Notice>
      )}
      <div class="scroll">
        <table class="pairs">
          <caption class="hidden">Each step then and now</caption>
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden">same</span>
              </th>
              <th scope="col">then, {shown(then.release.slice(0, 8))}</th>
              <th scope="col">now, {shown(now.release.slice(0, 8))}</th>
            </tr>
          </thead>
          <tbody>
            {diff.map((pair, at) => (
              <>
                {pair.handler !== diff[at - 1]?.handler && (
                  <tr>
                    <th colSpan={3} scope="rowgroup">
                      {shown(pair.handler)}
                    </th>
                  </tr>
                )}
                <tr class={pair.same ? "" : "other"}>
                  <td>
                    {pair.same ? (
                      ""
                    ) : (
                      <span class="fail">
                        ≠<span class="hidden"> differs</span>
                        {at === diverged_at && <span class="muted"> first</span>}
                      </span>
                    )}
                  </td>
                  <td class="mono lines">{textOf(pair.then)}</td>
                  <td class="mono lines">{textOf(pair.now)}</td>
                </tr>
              </>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const textOf = (lines: string[] | null) =>
  lines === null ? "–" : shownLines(lines.join("\n").replaceAll(/ {2,}/g, "  "));

/** The events that are run again at each save. */
export function Pins() {
  const { pins = [] } = state.value ?? {};
  if (pins.length === 0) return null;
  return (
    <ul class="bar pins" aria-label="Pinned events, run again at each save">
      {pins.map(({ id, api_id, type, verdict, error }) => (
        <li>
          <a {...link({ screen: "events", id, query: { api: api_id } })}>
            {shown(type)} {shown(id.slice(0, 8))}
          </a>{" "}
          <VerdictText of={verdict} />
          {error !== "" && <span class="muted"> {shown(error)}</span>}
        </li>
      ))}
    </ul>
  );
}

/** The results of events on another release. */
export function TryResult({ job }: { job: Job }) {
  const [isAll, setAll] = useState(false);
  const of = (verdict: Tried["verdict"]) => job.tried.filter((each) => each.verdict === verdict).length;
  const same = job.read - job.tried.length;
  const parts = [
    `${same} same`,
    ...(["done", "differs", "fails", "not run"] as const).flatMap((verdict) => {
      const number = of(verdict);
      return number > 0 ? `${number} ${VERDICTS[verdict][2]}` : [];
    }),
  ];
  const listed = isAll ? job.tried : job.tried.slice(0, 10);
  return (
    <div class={`notice ${job.state === "failed" || job.failed > 0 ? "fail" : "done"}`} role="status">
      <div>
        dry, {countOf(job.read, "event")} of {job.total}: {parts.join(", ")}
        {job.error && `: ${shown(job.error)}`}
      </div>
      <ul>
        {listed.map(({ id, api_id, type, key, verdict, why }) => (
          <li>
            <a {...link({ screen: "events", id, query: { api: api_id } })}>
              {shown(type)} {shown(key)}
            </a>{" "}
            <VerdictText of={verdict} /> <span class="muted">{shown(why)}</span>
          </li>
        ))}
      </ul>
      {job.tried.length > listed.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {job.tried.length}
        </button>
      )}
    </div>
  );
}
