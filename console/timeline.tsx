import type { EventRow } from "../lib/history/event-rows.ts";
import type { Frame, ShownAttempt, ShownCall, ShownRun, ShownWrite } from "./answers.ts";
import { editor } from "./editor.ts";
import { clock, countOf, moved, shown, shownLines, valueText } from "./text.ts";

/** A stack frame in gatehook's part of the gateway's JavaScript API. */
const PRELUDE = /^\s+at .*\(?prelude\.js:[\d:]+\)?$/;

interface Step {
  at?: number;
  what: string;
  look?: string;
  text: string;
  ms?: number;
  frame?: Frame | null;
  error?: string;
}

/** The timeline of one attempt. */
export function Timeline({ row, attempt }: { row: EventRow; attempt: ShownAttempt }) {
  const { at, sent_at, ms, release, runs, outcome, conflicts, done_before, next_at } = attempt;
  const queued = sent_at === undefined ? undefined : Date.parse(at) - Date.parse(sent_at);
  const failedWrites = runs.filter((run) => run.outcome !== "done").flatMap(({ writes }) => writes).length;
  const facts: Step[] = [
    {
      what: "received",
      text: `${row.source}${queued === undefined ? "" : `, queued ${Math.max(0, queued)} ms`}`,
    },
    { at: 0, what: "begun", text: `at receive ${attempt.n}, ${clock(at)}` },
    { what: "release", text: release ?? "none" },
    ...(conflicts
      ? [
          {
            what: "conflict",
            look: "wait",
            text: `run again ${conflicts} times: others changed what it had read`,
          },
        ]
      : []),
    ...(done_before
      ? [{ what: "skipped", text: `${countOf(done_before, "handler")} done before, not run again` }]
      : []),
  ];
  const ends: Step[] = [
    ...(failedWrites > 0
      ? [
          {
            what: "discarded",
            look: "wait",
            text: `${countOf(failedWrites, "session write")} of a failed run did not count`,
          },
        ]
      : []),
    ...(outcome === "done"
      ? [
          {
            at: ms,
            what: "committed",
            look: "done",
            text: runs.length === 0 ? "no handler ran" : "session and ledger, exactly once",
          },
        ]
      : []),
    ...(attempt.reason && runs.every(({ reason }) => reason !== attempt.reason)
      ? [{ what: attempt.outcome, look: "fail", text: `${attempt.reason}: ${attempt.error ?? ""}` }]
      : []),
    ...(outcome === "dead" ? [{ what: "dead", look: "fail", text: "it is in the dead-letter queue" }] : []),
    ...(next_at && outcome !== "done" && outcome !== "dead"
      ? [{ what: "next", look: "wait", text: `about ${clock(next_at)}` }]
      : []),
  ];
  return (
    <div class="scroll">
      <table class="steps">
        <caption class="hidden">What happened, in ms since the attempt began</caption>
        <thead class="hidden">
          <tr>
            <th scope="col">at</th>
            <th scope="col">what</th>
            <th scope="col">text</th>
            <th scope="col">ms</th>
          </tr>
        </thead>
        <tbody>{facts.map(stepRow)}</tbody>
        {runs.map((run) => (
          <Run run={run} />
        ))}
        <tbody>{ends.map(stepRow)}</tbody>
      </table>
    </div>
  );
}

function Run({ run }: { run: ShownRun }) {
  const fate = run.sandbox === "rebuilt" ? ", its sandbox was rebuilt" : "";
  return (
    <tbody>
      <tr class="head-row">
        <th colSpan={3} scope="rowgroup">
          {shown(run.handler)} <span class="muted">{shown(run.path)}</span>{" "}
          <span class={run.outcome === "done" ? "done" : "fail"}>
            {run.outcome}
            {fate}
          </span>
        </th>
        <th class="took">{run.ms} ms</th>
      </tr>
      {stepsOf(run).map(stepRow)}
      {run.cut &&
        stepRow({
          what: "cut",
          look: "wait",
          text: "some texts are missing: there were more than a record holds",
        })}
    </tbody>
  );
}

function stepsOf({ calls, logs, writes, outcome, error, reason, frame, ms }: ShownRun): Step[] {
  const steps = [
    ...calls.map((call) => ({ i: call.i, ...stepOfCall(call) })),
    ...logs.map(({ i, level, text }) => ({ i, what: `log ${level}`, look: LOOKS[level] ?? "", text })),
    ...writes.map((write) => ({ i: write.i, ...stepOfWrite(write) })),
  ].sort((a, b) => a.i - b.i);
  if (outcome !== "failed") return steps;
  return [...steps, { at: ms, what: "threw", look: "fail", text: reason ?? "", error: error ?? "", frame }];
}

/** The style of a log line, by its level. */
export const LOOKS: Record<string, string> = { warn: "wait", error: "fail" };

const stepOfCall = ({ t, verb, text, ms, answer }: ShownCall): Step => ({
  at: t,
  what: verb,
  text,
  ...(ms > 0 && { ms }),
  ...(answer === undefined && verb === "HTTP" && { look: "fail" }),
});

function stepOfWrite({ key, changes, after, before }: ShownWrite): Step {
  if (changes === null)
    return {
      what: "wrote",
      text: `${key}: ${after === null ? "deleted" : before === null ? "made" : "cut in the record"}`,
    };
  const texts = changes.map(({ name, before, after }) => {
    const by = moved(name, before, after);
    return `${name} ${valueText(before)} → ${valueText(after)}${by && ` (${by})`}`;
  });
  return { what: "wrote", look: "done", text: `${key}: ${texts.join(", ") || "nothing changed"}` };
}

function stepRow({ at, what, look = "", text, ms, frame, error }: Step) {
  return (
    <tr>
      <td class="at">{at === undefined ? "" : `+${at}`}</td>
      <td class={`what ${look}`}>{what}</td>
      <td class="break lines">
        {shownLines(text)}
        {error !== undefined && <ErrorText error={error} frame={frame ?? null} />}
      </td>
      <td class="took">{ms === undefined ? "" : `${ms} ms`}</td>
    </tr>
  );
}

/** The gateway's own frames do not help, so they are folded. */
function ErrorText({ error, frame }: { error: string; frame: Frame | null }) {
  const lines = error.split(/\r?\n/);
  const own = lines.filter((line) => !PRELUDE.test(line));
  return (
    <>
      <pre>{shownLines(own.join("\n"))}</pre>
      {frame && <FrameText frame={frame} />}
      {own.length < lines.length && (
        <details>
          <summary>{countOf(lines.length - own.length, "frame")} of the gateway's API</summary>
          <pre>{shownLines(lines.filter((line) => PRELUDE.test(line)).join("\n"))}</pre>
        </details>
      )}
    </>
  );
}

function FrameText({ frame }: { frame: Frame }) {
  const place = `${frame.path}:${frame.line}:${frame.column}`;
  const address = editor.addressOf(frame);
  const width = String(frame.lines.at(-1)?.number ?? 0).length;
  return (
    <div class="frame">
      {address ? <a href={address}>{shown(place)}</a> : <code>{shown(place)}</code>}
      <pre>
        {frame.lines.map(({ number, text }) => (
          <span class={number === frame.line ? "here" : ""}>
            {`${number === frame.line ? ">" : " "} ${String(number).padStart(width)} | ${shownLines(text)}\n`}
          </span>
        ))}
      </pre>
    </div>
  );
}
