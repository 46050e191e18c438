import { useState } from "preact/hooks";
import type { ShownAttempt, ShownCall } from "./answers.ts";
import { Changes, Code, isMembers, Json, Notice, Outcome, parsed } from "./parts.tsx";
import { link } from "./router.ts";
import { dayClock, shown, shownLines, utc } from "./text.ts";
import { LOOKS } from "./timeline.tsx";

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

/** The gateway's member names are case-insensitive. */
const member = (value: unknown, name: string): unknown =>
  isMembers(value) ? Object.entries(value).find(([each]) => each.toLowerCase() === name)?.[1] : undefined;

export function HttpSection({ attempt }: { attempt: ShownAttempt }) {
  const calls = attempt.runs.flatMap((run) =>
    run.calls.filter(
      ({ name }) => name === "makeHttpRequest" || name === "batchRequest" || name === "storage",
    ),
  );
  if (calls.length === 0) return <p class="muted">No HTTP request and no storage call was made.</p>;
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
            : "The script got no response: the request failed, or its address is not allowed."}
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
