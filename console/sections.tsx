import { useState } from "preact/hooks";
import type { EventRow } from "../lib/history/event-rows.ts";
import type { Frame, ShownAttempt, ShownCall, ShownRun, ShownWrite } from "./answers.ts";
import { editor } from "./editor.ts";
import { Changes, Code, Json, Notice, Outcome, parsed } from "./parts.tsx";
import { link } from "./router.ts";
import { clock, countOf, dayClock, moved, shown, shownLines, utc, valueText } from "./text.ts";

/** The script that every release begins with says this at each load. */
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

/** All that happened at one attempt, in one line of time. */
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
            text: runs.length === 0 ? "no handler ran" : "sessions and ledger in one transaction",
          },
        ]
      : []),
    ...(attempt.reason && runs.every(({ reason }) => reason !== attempt.reason)
      ? [{ what: attempt.outcome, look: "fail", text: `${attempt.reason}: ${attempt.error ?? ""}` }]
      : []),
    ...(outcome === "dead"
      ? [{ what: "given up", look: "fail", text: "it is in the dead-letter queue" }]
      : []),
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
  const fate = run.sandbox === "rebuilt" ? ", its sandbox was built anew" : "";
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

const LOOKS: Record<string, string> = { warn: "wait", error: "fail" };

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

/** The gateway's own frames lead nobody anywhere: they are folded. */
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

export function SessionsSection({ attempt }: { attempt: ShownAttempt }) {
  const writes = attempt.runs.flatMap((run) => run.writes.map((write) => ({ write, run })));
  const reads = attempt.runs.flatMap(({ calls }) => calls.filter(({ name }) => name === "getKeyData"));
  if (writes.length === 0 && reads.length === 0) return <p class="muted">No session was read or changed.</p>;
  return (
    <>
      {writes.length === 0 && <p class="muted">No session was changed.</p>}
      {writes.map(({ write, run }) => (
        <section>
          <h3>
            <a {...link({ screen: "sessions", id: write.key })}>{shown(write.key)}</a>{" "}
            <span class="muted">
              by {shown(run.handler)}
              {run.outcome === "done" ? "" : ": did not count"}
            </span>
          </h3>
          {write.changes ? (
            <Changes of={write.changes} />
          ) : (
            <p>{write.after === null ? "deleted" : write.before === null ? "made" : "cut in the record"}</p>
          )}
          {write.before !== null && <Folded name="before" text={write.before} />}
          {write.after !== null && <Folded name="after" text={write.after} />}
        </section>
      ))}
      {reads.length > 0 && <h3>Read</h3>}
      {reads.map(({ args, answer, given }) => (
        <Folded name={`${args[0] ?? ""}${given ? ", came with the run" : ""}`} text={answer ?? ""} />
      ))}
    </>
  );
}

function Folded({ name, text }: { name: string; text: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{shown(name)}</summary>
      {isOpen && <Json text={text} />}
    </details>
  );
}

type Members = Record<string, unknown>;
const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The gateway takes the names in any letters. */
const member = (value: unknown, name: string): unknown =>
  isMembers(value) ? Object.entries(value).find(([each]) => each.toLowerCase() === name)?.[1] : undefined;

export function HttpSection({ attempt }: { attempt: ShownAttempt }) {
  const calls = attempt.runs.flatMap((run) =>
    run.calls.filter(
      ({ name }) => name === "makeHttpRequest" || name === "batchRequest" || name === "storage",
    ),
  );
  if (calls.length === 0) return <p class="muted">No other host and no storage was asked.</p>;
  return (
    <>
      {calls.map((call) => (
        <section>
          <h3>{shown(call.text)}</h3>
          <p class="muted">
            +{call.t} ms, took {call.ms} ms
          </p>
          {call.name === "makeHttpRequest" ? <Exchange call={call} /> : <Raw call={call} />}
        </section>
      ))}
    </>
  );
}

function Exchange({ call }: { call: ShownCall }) {
  const request = parsed(call.args[0] ?? "");
  const answer = call.answer === undefined ? undefined : parsed(call.answer);
  return (
    <>
      <h3>Request</h3>
      <Headers of={member(request, "headers")} />
      <Body of={member(request, "body")} />
      {isMembers(member(request, "formdata")) && <Json text={JSON.stringify(member(request, "formdata"))} />}
      <h3>Answer {isMembers(answer) ? shown(String(answer.Code ?? "")) : "none"}</h3>
      {call.answer === undefined ? (
        <p class="fail">
          {call.failure
            ? shown(call.failure.error)
            : "The script got nothing: the request failed, or its address was refused."}
        </p>
      ) : (
        <>
          <Headers of={member(answer, "headers")} />
          <Body of={member(answer, "body")} />
          {!isMembers(answer) && <Code text={call.answer} />}
        </>
      )}
    </>
  );
}

function Headers({ of }: { of: unknown }) {
  if (!isMembers(of) || Object.keys(of).length === 0) return null;
  return (
    <dl class="facts mono">
      {Object.entries(of).map(([name, value]) => (
        <>
          <dt>{shown(name)}</dt>
          <dd>{shown(Array.isArray(value) ? value.join(", ") : String(value))}</dd>
        </>
      ))}
    </dl>
  );
}

function Body({ of }: { of: unknown }) {
  if (typeof of !== "string" || of === "") return <p class="muted">no body</p>;
  return typeof parsed(of) === "object" ? <Json text={of} /> : <Code text={of} />;
}

function Raw({ call }: { call: ShownCall }) {
  return (
    <>
      {call.args.map((text) => (
        <Json text={text} />
      ))}
      <h3>Answer</h3>
      <Json text={call.answer ?? ""} />
    </>
  );
}

export function LogsSection({ attempt }: { attempt: ShownAttempt }) {
  const logs = attempt.runs.flatMap((run) => run.logs.map((log) => ({ ...log, handler: run.handler })));
  if (logs.length === 0) return <p class="muted">No handler logged anything.</p>;
  return (
    <table>
      <caption class="hidden">Log lines</caption>
      <thead>
        <tr>
          <th scope="col">handler</th>
          <th scope="col">level</th>
          <th scope="col">text</th>
        </tr>
      </thead>
      <tbody>
        {logs.map(({ handler, level, text }) => (
          <tr>
            <td>{shown(handler)}</td>
            <td class={LOOKS[level] ?? ""}>{level}</td>
            <td class="mono lines break">{shownLines(text)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function BodySection({ attempt }: { attempt: ShownAttempt }) {
  const { event, runs } = attempt;
  const wire = event.Meta.OriginatingRequest;
  return (
    <>
      <h3>As handlers get it</h3>
      <Json text={JSON.stringify(event)} open={3} />
      {typeof wire === "string" && wire !== "" && (
        <>
          <h3>OriginatingRequest, decoded</h3>
          <Code text={fromBase64(wire)} />
        </>
      )}
      {runs[0] && (
        <>
          <h3>Context of {shown(runs[0].handler)}</h3>
          <Json text={JSON.stringify(runs[0].context)} />
        </>
      )}
    </>
  );
}

function fromBase64(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
  } catch {
    return text;
  }
}

export function AttemptsSection({
  attempts,
  onAttempt,
}: {
  attempts: ShownAttempt[];
  onAttempt: (at: number) => void;
}) {
  return (
    <>
      {attempts.length === 0 && <Notice>No attempt is recorded.</Notice>}
      <div class="scroll">
        <table>
          <caption class="hidden">Attempts</caption>
          <thead>
            <tr>
              <th scope="col">receive</th>
              <th scope="col">begun</th>
              <th scope="col">outcome</th>
              <th scope="col">why</th>
              <th scope="col">release</th>
              <th scope="col" class="number">
                ms
              </th>
            </tr>
          </thead>
          <tbody>
            {attempts.map(({ n, at, outcome, reason, error, release, ms }, index) => (
              <tr>
                <td>
                  <button type="button" class="plain" onClick={() => onAttempt(index)}>
                    {n}, timeline
                  </button>
                </td>
                <td title={utc(at)}>{dayClock(at)}</td>
                <td>
                  <Outcome of={outcome} />
                </td>
                <td>{reason ? `${shown(reason)}: ${shown((error ?? "").split("\n", 1)[0] ?? "")}` : ""}</td>
                <td class="mono">{shown((release ?? "").slice(0, 8))}</td>
                <td class="number">{ms}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
