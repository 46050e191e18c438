import { useEffect, useRef, useState } from "preact/hooks";
import type { LetterGroup } from "../lib/dead-letters/groups.ts";
import type { DeadLetters as Answer, Job, Selection } from "./answers.ts";
import { ask, followJob, get, messageOf } from "./api.ts";
import { useKeys } from "./keys.ts";
import { Back, Copy, Dialog, Notice, useAction, useLoaded } from "./parts.tsx";
import { TryResult } from "./rerun.tsx";
import { go, link, route } from "./router.ts";
import { mayWrite, state, tell } from "./state.ts";
import { count, countOf, dayClock, shown, utc } from "./text.ts";

/** The letters in groups: those of recorded events, or those of the queue itself after a sweep. */
export function DeadLetters() {
  const { id } = route.value;
  const { value, error, reload } = useLoaded((signal) => get<Answer>("/dead-letters", signal), []);
  const [sweep, setSweep] = useState<Job | undefined>(undefined);
  const [job, setJob] = useState<Job | undefined>(undefined);
  const { busy, problem, run } = useAction();
  const isRunning = [sweep, job].some((each) => each?.state === "running");
  const back = () => go({ screen: "dead-letters" });

  const read = () =>
    run(async () => {
      const started = await ask<Job>("POST", "/dead-letters/sweep");
      await followJob(started, setSweep);
    });
  /** The action applies to the selected letters: their ids are fixed before the user is asked to confirm. */
  const act = (what: "redrive" | "delete", selection: Selection, body: object) =>
    run(async () => {
      const started = await ask<Job>("POST", `/dead-letters/${what}`, {
        body: { selection: selection.selection, ...body },
      });
      await followJob(started, setJob);
      setSweep(undefined);
      reload();
    });
  const stop = () =>
    job &&
    void ask<Job>("DELETE", `/jobs/${job.id}`).catch((thrown: unknown) => tell(messageOf(thrown), "fail"));
  useKeys({ Esc: { does: "back to the groups", run: back } });

  const isSwept = sweep !== undefined && sweep.state !== "running";
  const groups = isSwept ? sweep.groups : (value?.groups ?? []);
  const group = groups.find((each) => each.group === id);
  return (
    <>
      <section class="pane list" aria-label="Dead letters">
        <div class="tools">
          <h2>
            ☠ {value ? countOf(value.visible + value.held, "dead letter") : "…"}
            {value && value.held > 0 && <span class="muted">, {count(value.held)} with a reader</span>}
          </h2>
          <button type="button" disabled={busy || isRunning} onClick={read}>
            Read the queue
          </button>
          <Copy text="npx gatehook dlq ls" />
        </div>
        {[error, problem].map((each) => each && <Notice kind="fail">{shown(each)}</Notice>)}
        {sweep?.state === "running" && <Progress job={sweep} />}
        {job && <JobView job={job} onStop={stop} />}
        <p class="tools muted">
          {isSwept
            ? `from the queue: ${countOf(sweep.read, "letter")} read${sweep.complete ? "" : ", there may be more"}`
            : value?.source === "history"
              ? "from recorded events; reading the queue hides its letters from others for a moment, and counts as a receive"
              : "no events are recorded here: read the queue to see its groups"}
        </p>
        <Groups groups={groups} />
      </section>
      {group && (
        <section class="pane detail" aria-label="Group">
          <Detail key={id} group={group} isBusy={busy || isRunning} act={act} onClose={back} />
        </section>
      )}
    </>
  );
}

function Progress({ job }: { job: Job }) {
  return (
    <div class="tools">
      <label class="grow">
        reading the queue: {count(job.read)} of about {count(Math.max(job.total, job.read))}
        <progress max={Math.max(job.total, job.read, 1)} value={job.read} />
      </label>
    </div>
  );
}

const DOING: Record<Job["kind"], string> = {
  redrive: "sent again",
  delete: "deleted",
  sweep: "read",
  try: "tried",
};

function JobView({ job, onStop }: { job: Job; onStop: () => void }) {
  const { kind, state: now, done, failed, total, error } = job;
  const look = now === "failed" || failed > 0 ? "fail" : now === "done" ? "done" : "";
  return (
    <div class="tools">
      <div class={`notice grow ${look}`} role="status">
        {count(done)} of {count(total)} {DOING[kind]}
        {failed > 0 && `, ${count(failed)} not`}
        {now === "stopped" && ", stopped"}
        {error && `: ${shown(error)}`}
        {now === "running" && <progress max={Math.max(total, 1)} value={done} aria-label={DOING[kind]} />}
      </div>
      {now === "running" && (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      )}
    </div>
  );
}

function Groups({ groups }: { groups: LetterGroup[] }) {
  if (groups.length === 0) return <p class="empty muted">There are no dead letters.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <div class="body" tabIndex={0} role="region" aria-label="Groups of one reason, handler and error">
      <table>
        <caption class="hidden">Groups</caption>
        <thead>
          <tr>
            <th scope="col">group</th>
            <th scope="col" class="number">
              count
            </th>
            <th scope="col">why</th>
            <th scope="col">newest</th>
          </tr>
        </thead>
        <tbody>
          {groups.map(({ group, count: number, reason, handler, error, place, newest, releases }) => (
            <tr>
              <th scope="row">
                <a
                  {...link({ screen: "dead-letters", id: group })}
                  class="mono"
                  aria-current={route.value.id === group ? "true" : undefined}
                >
                  {shown(group)}
                </a>
              </th>
              <td class="number">{count(number)}</td>
              <td>
                {shown(reason)}
                {handler && ` · ${shown(handler)}`}
                <div class="muted">
                  {shown([error, place].filter(Boolean).join(", at "))}
                  {releases[0] && `, first in release ${shown(releases[0].slice(0, 8))}`}
                </div>
              </td>
              <td title={utc(newest)}>{dayClock(newest)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface DetailProps {
  group: LetterGroup;
  isBusy: boolean;
  act: (what: "redrive" | "delete", selection: Selection, body: object) => void;
  onClose: () => void;
}

function Detail({ group: letters, isBusy, act, onClose }: DetailProps) {
  const {
    group,
    count: number,
    reason,
    handler,
    error,
    place,
    oldest,
    newest,
    api_ids,
    types,
    releases,
    event_id,
  } = letters;
  const [rate, setRate] = useState(5);
  const [asked, setAsked] = useState<{ what: "redrive" | "delete"; selection: Selection } | undefined>(
    undefined,
  );
  const { busy, problem, run } = useAction();
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  const [tried, setTried] = useState<Job | undefined>(undefined);
  const tryOut = () =>
    run(async () => followJob(await ask<Job>("POST", "/dead-letters/try", { body: { group } }), setTried));
  const can = mayWrite() && !isBusy && !busy;
  const select = (what: "redrive" | "delete") =>
    run(async () =>
      setAsked({ what, selection: await ask<Selection>("POST", "/selections", { body: { group } }) }),
    );
  const releaseOf = releases[0];
  return (
    <>
      <div class="tools">
        <Back to="groups" onClick={onClose} />
        <h2 ref={title} tabIndex={-1}>
          {countOf(number, "letter")}: {shown(reason)}
        </h2>
      </div>
      <div class="tools">
        <label>
          rate{" "}
          <input
            type="number"
            min={0.1}
            max={1000}
            step="any"
            value={rate}
            onInput={(event) => setRate(event.currentTarget.valueAsNumber)}
          />{" "}
          /s
        </label>
        <button
          type="button"
          class="main-action"
          disabled={!can || !(rate > 0)}
          onClick={() => select("redrive")}
        >
          Redrive {count(number)}…
        </button>
        <button type="button" class="harm" disabled={!can} onClick={() => select("delete")}>
          Delete…
        </button>
        {state.value?.has.rerun && (
          <button type="button" disabled={!can} onClick={tryOut}>
            Try 20 first
          </button>
        )}
        <Copy text={`npx gatehook dlq redrive ${group} --rate ${rate}/s`} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <div class="body" tabIndex={0} role="region" aria-label="The group">
        {problem && <Notice kind="fail">{shown(problem)}</Notice>}
        {tried && <TryResult job={tried} />}
        <dl class="facts">
          <dt>error</dt>
          <dd>{shown(error || "–")}</dd>
          <dt>at</dt>
          <dd class="mono">{shown(place || "–")}</dd>
          <dt>handler</dt>
          <dd>{shown(handler ?? "–")}</dd>
          <dt>APIs</dt>
          <dd>{api_ids.map(shown).join(", ")}</dd>
          <dt>types</dt>
          <dd>{types.map(shown).join(", ")}</dd>
          <dt>releases</dt>
          <dd>
            {releases.map((version) => (
              <>
                <a {...link({ screen: "releases", id: version })} class="mono">
                  {shown(version.slice(0, 8))}
                </a>{" "}
              </>
            ))}
          </dd>
          <dt>since</dt>
          <dd title={utc(oldest)}>{dayClock(oldest)}</dd>
          <dt>newest</dt>
          <dd title={utc(newest)}>{dayClock(newest)}</dd>
        </dl>
        <p>
          {state.value?.has.events && (
            <a {...link({ screen: "events", id: event_id, query: api_ids[0] ? { api: api_ids[0] } : {} })}>
              one of its events
            </a>
          )}
          {releaseOf && (
            <>
              {" · "}
              <a {...link({ screen: "releases", id: releaseOf, query: { diff: "live" } })}>
                first seen in release {shown(releaseOf.slice(0, 8))}
              </a>
            </>
          )}
        </p>
      </div>
      {asked && (
        <Confirm
          asked={asked}
          rate={rate}
          onClose={() => setAsked(undefined)}
          onYes={() => {
            setAsked(undefined);
            act(asked.what, asked.selection, asked.what === "redrive" ? { rate } : {});
          }}
        />
      )}
    </>
  );
}

interface ConfirmProps {
  asked: { what: "redrive" | "delete"; selection: Selection };
  rate: number;
  onClose: () => void;
  onYes: () => void;
}

function Confirm({ asked: { what, selection }, rate, onClose, onYes }: ConfirmProps) {
  const isDelete = what === "delete";
  const letters = countOf(selection.count, "dead letter");
  return (
    <Dialog title={isDelete ? `Delete ${letters} permanently?` : `Redrive ${letters}?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onYes();
        }}
      >
        <p>
          {isDelete
            ? "Their events are lost. Letters that arrived after the selection stay."
            : `They go to the events queue again, ${rate} per second, with the same ids: what is done already is not done twice. Letters that arrived after the selection stay.`}
        </p>
        <div class="actions">
          <button type="submit" class={isDelete ? "harm" : "main-action"} autofocus={!isDelete}>
            {isDelete ? "Delete" : "Redrive"} {count(selection.count)}
          </button>
          <button type="button" onClick={onClose} autofocus={isDelete}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
