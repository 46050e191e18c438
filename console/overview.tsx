import { useEffect, useState } from "preact/hooks";
import type { RowOutcome } from "../lib/history/event-rows.ts";
import type { Overview as Answer } from "./answers.ts";
import { get } from "./api.ts";
import { Notice, Outcome, useLoaded } from "./parts.tsx";
import { link, refine, route } from "./router.ts";
import { state } from "./state.ts";
import { count, dayClock, share, shown } from "./text.ts";

const WINDOWS = { "15m": "last 15 minutes", "1h": "last hour", "6h": "last 6 hours", "1d": "last day" };
const REREAD_MS = 5_000;

export function Overview() {
  const { window: span = "1h" } = route.value.query;
  const { value, error, reload } = useLoaded(
    (signal) => get<Answer>(`/overview?window=${encodeURIComponent(span)}`, signal),
    [span],
  );
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), REREAD_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <section class="pane" aria-label="Overview">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <div class="body" tabIndex={0} role="region" aria-label="Figures">
        <div class="actions">
          <h2>Overview</h2>
          <label>
            <span class="hidden">Time</span>
            <select value={span} onChange={(event) => refine({ window: event.currentTarget.value }, "push")}>
              {Object.entries(WINDOWS).map(([name, text]) => (
                <option value={name}>{text}</option>
              ))}
            </select>
          </label>
          {value && <span class="muted">from {value.source}</span>}
        </div>
        {error !== undefined && <Notice kind="fail">{shown(error)}</Notice>}
        {value && <Figures of={value} />}
        <Settings />
      </div>
    </section>
  );
}

function Figures({ of }: { of: Answer }) {
  const sum = (name: "done" | "failed" | "waits") =>
    of.buckets.reduce((total, bucket) => total + bucket[name], 0);
  const failed = sum("failed");
  const all = sum("done") + failed + sum("waits");
  return (
    <>
      <dl class="facts">
        <dt>events</dt>
        <dd>
          {count(all)}
          {all > 0 && `, failed ${share(failed, all)}`}
        </dd>
        {of.queue && (
          <>
            <dt>queue</dt>
            <dd>
              {count(of.queue.visible)} waiting, {count(of.queue.held)} in progress
            </dd>
          </>
        )}
        {of.dead && (
          <>
            <dt>dead letters</dt>
            <dd>
              <a {...link({ screen: "dead-letters" })}>{count(of.dead.visible + of.dead.held)}</a>
            </dd>
          </>
        )}
        <dt>refused</dt>
        <dd>
          <a {...link({ screen: "events", query: { q: "outcome:refused" } })}>
            {count(of.refused)} by ingest
          </a>
        </dd>
      </dl>
      {of.handlers.length > 0 && <Chart of={of} />}
      {of.handlers.length > 0 && <Handlers of={of} />}
      {of.apis.length > 0 && <LastOfEach of={of} />}
    </>
  );
}

const KINDS = [
  ["done", "done"],
  ["failed", "fail"],
  ["waits", "wait"],
] as const;
const HEIGHT = 90;
const BAR = 10;

/** Bars for equal intervals of time, and the same data as a table. */
function Chart({ of: { buckets } }: { of: Answer }) {
  const [isTable, setTable] = useState(false);
  const most = Math.max(1, ...buckets.map(({ done, failed, waits }) => done + failed + waits));
  return (
    <figure style={{ margin: 0 }}>
      <figcaption class="actions">
        <span>
          Events: <span class="done">■ done</span> <span class="fail">■ failed</span>{" "}
          <span class="wait">■ waiting</span>, at most {count(most)} in a bar
        </span>
        <button type="button" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          as table
        </button>
      </figcaption>
      {isTable ? (
        <table>
          <thead>
            <tr>
              <th scope="col">from</th>
              {KINDS.map(([name]) => (
                <th scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {buckets.map((bucket) => (
              <tr>
                <th scope="row">{dayClock(bucket.at)}</th>
                {KINDS.map(([name]) => (
                  <td class="number">{count(bucket[name])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <svg
          class="chart"
          viewBox={`0 0 ${buckets.length * BAR} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label="Events over time; as table shows the numbers"
        >
          {buckets.map((bucket, at) => {
            let from = HEIGHT;
            return KINDS.map(([name, look]) => {
              const height = (bucket[name] / most) * (HEIGHT - 2);
              from -= height;
              return <rect class={look} x={at * BAR + 1} width={BAR - 2} y={from} height={height} />;
            });
          })}
        </svg>
      )}
    </figure>
  );
}

/** A handler that takes at least this share of its time limit is marked. */
const NEAR = 0.8;

function Handlers({ of: { handlers } }: { of: Answer }) {
  return (
    <div class="scroll">
      <table>
        <caption>Handlers</caption>
        <thead>
          <tr>
            <th scope="col">handler</th>
            {["runs", "failed", "p50 ms", "p95 ms", "p99 ms", "limit ms"].map((name) => (
              <th scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {handlers.map(({ handler, runs, failed, p50, p95, p99, limit_ms }) => (
            <tr>
              <th scope="row">
                <a {...link({ screen: "events", query: { q: `handler:${handler}` } })}>{shown(handler)}</a>
              </th>
              <td class="number">{count(runs)}</td>
              <td class={`number ${failed > 0 ? "fail" : ""}`}>{share(failed, runs)}</td>
              <td class="number">{p50}</td>
              <td class="number">{p95}</td>
              <td class={`number ${p99 > NEAR * limit_ms ? "fail" : ""}`}>
                {p99}
                {p99 > NEAR * limit_ms && " !"}
              </td>
              <td class="number">{count(limit_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LastOfEach({ of: { apis } }: { of: Answer }) {
  return (
    <>
      <h2>The last event of each type</h2>
      {apis.map(({ api_id, types }) => (
        <p>
          <strong>{shown(api_id)}</strong>:{" "}
          {types.map(({ type, outcome, at }) => (
            <span>
              <a
                {...link({
                  screen: "events",
                  query: { q: `api:${quotedTerm(api_id)} type:${quotedTerm(type)}` },
                })}
              >
                {shown(type)}
              </a>{" "}
              <Outcome of={outcome as RowOutcome} /> <span class="muted">{dayClock(at)}</span>
              {"  "}
            </span>
          ))}
        </p>
      ))}
    </>
  );
}

/** Quoted for the filter, if the value has spaces or quotes. */
const quotedTerm = (value: string) =>
  /^[^\s"\\]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;

function Settings() {
  const { settings = {}, history } = state.value ?? {};
  return (
    <>
      <h2>What is recorded</h2>
      <p>
        {history?.on
          ? `${count(history.events)} events, ${history.content === "full" ? "with their complete content" : "without keys, secrets and bodies"}`
          : shown(history?.why ?? "")}
      </p>
      <details>
        <summary>Settings, without secrets</summary>
        <dl class="facts mono">
          {Object.entries(settings).map(([name, value]) => (
            <>
              <dt>{shown(name)}</dt>
              <dd>{shown(value)}</dd>
            </>
          ))}
        </dl>
      </details>
    </>
  );
}
