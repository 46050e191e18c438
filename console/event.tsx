import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { RerunAnswer, ShownAttempt, WholeEvent } from "./answers.ts";
import { ask, eventPath, get, request } from "./api.ts";
import { useKeys } from "./keys.ts";
import { awaitedRow, keyOf } from "./list.ts";
import { Back, copy, Key, Notice, Outcome, Tabs, useAction, useLoaded } from "./parts.tsx";
import { type RerunChoice, RerunResult, runAgain, setPin, TARGETS, type Target } from "./rerun.tsx";
import { addressOf, go, refine, route } from "./router.ts";
import { SaveTest } from "./save-test.tsx";
import { AttemptsSection, BodySection, HttpSection, LogsSection, SessionsSection } from "./sections.tsx";
import { link as connection, mayWrite, state, tell } from "./state.ts";
import { clock, dayClock, quoted, shown } from "./text.ts";
import { Timeline } from "./timeline.tsx";

const HTTP: ReadonlySet<string> = new Set(["makeHttpRequest", "batchRequest"]);

/** The newest attempt. */
const LAST = "last";

export function EventPane({
  id,
  api,
  onClose,
}: {
  id: string;
  api: string | undefined;
  onClose: () => void;
}) {
  const query = api === undefined ? "" : `?${new URLSearchParams({ api })}`;
  // Read again when the list receives a change of it.
  const row = api === undefined ? undefined : awaitedRow(keyOf({ id, api_id: api }));
  const { value, error, reload } = useLoaded(
    (signal) => get<WholeEvent>(`/events/${encodeURIComponent(id)}${query}`, signal),
    [id, api, row],
  );
  // The address names the event itself instead of `last`, so that a reload shows the same event.
  useEffect(() => {
    if (id !== LAST) return;
    if (value)
      go(
        { screen: "events", id: value.row.id, query: { ...route.value.query, api: value.row.api_id } },
        "replace",
      );
    else if (error !== undefined) go({ screen: "events", query: route.value.query }, "replace");
  }, [value, error]);
  const title = useRef<HTMLHeadingElement>(null);
  // Shown when its own address is set: anything that a key opened before that would be closed by the change of address.
  const isThere = value !== undefined && id !== LAST;
  useEffect(() => {
    if (isThere) title.current?.focus({ preventScroll: true });
  }, [isThere]);

  return (
    <section class="pane detail" aria-label="Event">
      {error !== undefined && (
        <div class="empty">
          <Notice kind="fail">{shown(error)}</Notice>
          <button type="button" onClick={onClose}>
            Back to the list
            <Key of="Esc" />
          </button>
        </div>
      )}
      {isThere && error === undefined && (
        <Whole event={value} title={title} onClose={onClose} reload={reload} />
      )}
    </section>
  );
}

interface WholeProps {
  event: WholeEvent;
  title: { current: HTMLHeadingElement | null };
  onClose: () => void;
  reload: () => void;
}

function Whole({ event, title, onClose }: WholeProps) {
  const { row, attempts, previous, next } = event;
  const nth = useSignal<number | undefined>(undefined);
  const isSaving = useSignal(false);
  const target = useSignal<Target>("working");
  const isAsking = useSignal(false);
  const rerun = useSignal<{ told: RerunAnswer; asked: RerunChoice } | undefined>(undefined);
  const { busy, problem, run } = useAction();
  const attempt = attempts[nth.value ?? attempts.length - 1];
  // The visible attempt is the one that is run again or saved.
  const chosen = nth.value === undefined ? {} : { attempt: nth.value + 1 };
  const section = Math.min(Math.max(Number(route.value.query.s ?? "1") - 1, 0), 5);
  const choose = (at: number) => refine({ s: at === 0 ? undefined : String(at + 1) });
  const openOther = (other: WholeEvent["previous"]) => {
    if (other) go({ screen: "events", id: other.id, query: { ...route.value.query, api: other.api_id } });
    else tell("there is no other event of this key", "fail");
  };
  const canSend = mayWrite() && state.value?.has.send === true && attempt !== undefined;
  const canSave = mayWrite() && state.value?.has.tests === true && attempt !== undefined;

  const sendAgain = () =>
    run(async () => {
      const { id } = await ask<{ id: string }>("POST", eventPath(row, "/send"), { body: {} });
      tell("sent again as another event");
      await openWhenThere(id, row.api_id);
    });
  const canRerun =
    state.value?.has.rerun === true && (attempt?.runs.length ?? 0) > 0 && connection.value !== "lost";
  const again = () =>
    run(async () => {
      const release = target.value === "recorded" ? (attempt?.release ?? "") : target.value;
      const asked: RerunChoice = { release, http: isAsking.value ? "live" : "recorded", ...chosen };
      rerun.value = { told: await runAgain(row, asked), asked };
      choose(0);
    });
  const isPinned = state.value?.pins.some((pin) => pin.id === row.id && pin.api_id === row.api_id) ?? false;
  const pin = () =>
    run(async () => {
      const { pins } = await setPin(row, !isPinned);
      if (state.value) state.value = { ...state.value, pins };
      tell(isPinned ? "not pinned any more" : "pinned: each save runs it again, dry");
    });
  const edit = () => go({ screen: "send", query: { from: row.id, api: row.api_id } });
  const copies: Record<string, () => Promise<void>> = {
    c: () => copy(curlOf(event), "curl"),
    g: () => copy(`npx gatehook events show ${quoted(row.id)} --api ${quoted(row.api_id)}`, "command"),
    l: () =>
      copy(location.origin + addressOf({ screen: "events", id: row.id, query: { api: row.api_id } }), "link"),
    j: async () => copy(await (await request("GET", eventPath(row))).text(), "JSON"),
  };
  const when = (can: boolean, work: () => void, what: string) => () =>
    can ? work() : tell(`${what} is not possible here`, "fail");

  useKeys({
    ...Object.fromEntries(
      ["timeline", "sessions", "HTTP", "logs", "event", "attempts"].map((does, at) => [
        String(at + 1),
        { does, run: () => choose(at) },
      ]),
    ),
    r: { does: "run again, dry", run: when(canRerun, again, "running it again") },
    p: { does: "pin or not", run: when(canRerun, pin, "pinning") },
    R: { does: "send again", run: when(canSend, sendAgain, "sending again") },
    e: { does: "edit and send", run: when(canSend, edit, "sending") },
    t: { does: "save as a test", run: when(canSave, () => (isSaving.value = true), "saving a test") },
    "[": { does: "previous of this key", run: () => openOther(previous) },
    "]": { does: "next of this key", run: () => openOther(next) },
    "y c": { does: "copy as curl", run: () => void copies.c?.() },
    "y g": { does: "copy the command", run: () => void copies.g?.() },
    "y l": { does: "copy a link", run: () => void copies.l?.() },
    "y j": { does: "copy as JSON", run: () => void copies.j?.() },
  });

  const calls = attempt?.runs.flatMap((each) => each.calls) ?? [];
  const tabs = [
    { name: "Timeline" },
    { name: "Sessions", count: attempt?.runs.flatMap(({ writes }) => writes).length },
    { name: "HTTP", count: calls.filter(({ name }) => HTTP.has(name)).length },
    { name: "Logs", count: attempt?.runs.flatMap(({ logs }) => logs).length },
    { name: "Event" },
    { name: "Attempts", count: attempts.length },
  ];
  return (
    <>
      <div class="tools">
        <Back to="list" onClick={onClose} />
        <h2 ref={title} tabIndex={-1}>
          {[row.type || "an event that ingest refused", row.api_id, row.key]
            .filter(Boolean)
            .map(shown)
            .join(" · ")}
        </h2>
        <span>
          <Outcome of={row.outcome} />
          {row.attempts > 1 && `, ${row.attempts} tries`}
          {row.next_at && row.outcome !== "done" && `, next about ${clock(row.next_at)}`}
        </span>
      </div>
      <div class="tools">
        {state.value?.has.rerun && (
          <>
            <button type="button" class="main-action" disabled={!canRerun || busy} onClick={again}>
              Rerun
              <Key of="r" />
            </button>
            <label>
              <span class="hidden">Run it on</span>
              <select
                value={target.value}
                onChange={(event) => (target.value = event.currentTarget.value as Target)}
              >
                {Object.entries(TARGETS).map(([name, text]) => (
                  <option value={name}>{text}</option>
                ))}
              </select>
            </label>
            <label>
              <input
                type="checkbox"
                checked={isAsking.value}
                onChange={(event) => (isAsking.value = event.currentTarget.checked)}
              />{" "}
              ask the real host
            </label>
            <button type="button" aria-pressed={isPinned} disabled={!canRerun || busy} onClick={pin}>
              Pin
              <Key of="p" />
            </button>
          </>
        )}
        {state.value?.has.send && (
          <>
            <button type="button" disabled={!canSend || busy} onClick={sendAgain}>
              Send again
              <Key of="R" />
            </button>
            <button type="button" disabled={!canSend} onClick={edit}>
              Edit
              <Key of="e" />
            </button>
          </>
        )}
        {state.value?.has.tests && (
          <button type="button" disabled={!canSave} onClick={() => (isSaving.value = true)}>
            Save as test
            <Key of="t" />
          </button>
        )}
        <CopyMenu copies={copies} />
        <Neighbours previous={previous} next={next} open={openOther} />
      </div>
      {problem && (
        <div class="tools">
          <Notice kind="fail">{shown(problem)}</Notice>
        </div>
      )}
      <Tabs tabs={tabs} chosen={section} onChoose={choose} label="What is shown of the event" />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <div class="body" role="tabpanel" id="tab-panel" aria-labelledby={`tab-${section}`} tabIndex={0}>
        {rerun.value && section === 0 ? (
          <RerunResult row={row} {...rerun.value} onClose={() => (rerun.value = undefined)} />
        ) : (
          <Section
            event={event}
            attempt={attempt}
            section={section}
            onAttempt={(at) => {
              nth.value = at;
              rerun.value = undefined;
              choose(0);
            }}
          />
        )}
      </div>
      {isSaving.value && attempt && (
        <SaveTest
          event={event}
          attempt={attempt}
          nth={chosen.attempt}
          onClose={() => (isSaving.value = false)}
        />
      )}
    </>
  );
}

interface SectionProps {
  event: WholeEvent;
  attempt: ShownAttempt | undefined;
  section: number;
  onAttempt: (at: number) => void;
}

function Section({ event, attempt, section, onAttempt }: SectionProps) {
  const { row, attempts } = event;
  if (!attempt)
    return (
      <dl class="facts">
        <dt>event</dt>
        <dd class="mono">{shown(row.id)}</dd>
        <dt>received</dt>
        <dd>{dayClock(row.at)}</dd>
        {row.reason ? (
          <>
            <dt>refused</dt>
            <dd class="fail">
              {shown(row.reason)}: {shown(row.error)}
            </dd>
          </>
        ) : (
          <>
            <dt>now</dt>
            <dd>it waits in the queue for its first attempt</dd>
          </>
        )}
      </dl>
    );
  switch (section) {
    case 1:
      return <SessionsSection attempt={attempt} />;
    case 2:
      return <HttpSection attempt={attempt} />;
    case 3:
      return <LogsSection attempt={attempt} />;
    case 4:
      return <BodySection attempt={attempt} />;
    case 5:
      return <AttemptsSection attempts={attempts} onAttempt={onAttempt} />;
    default:
      return <Timeline row={row} attempt={attempt} />;
  }
}

const COPIES = { c: "curl", g: "command", l: "link", j: "JSON" };

function CopyMenu({ copies }: { copies: Record<string, () => Promise<void>> }) {
  return (
    <>
      {Object.entries(COPIES).map(([key, name]) => (
        <button type="button" class="plain" onClick={() => void copies[key]?.()}>
          copy {name}
        </button>
      ))}
    </>
  );
}

function Neighbours({
  previous,
  next,
  open,
}: Pick<WholeEvent, "previous" | "next"> & { open: (other: WholeEvent["previous"]) => void }) {
  if (!previous && !next) return null;
  return (
    <>
      <button type="button" disabled={!previous} onClick={() => open(previous)}>
        previous of this key
        <Key of="[" />
      </button>
      <button type="button" disabled={!next} onClick={() => open(next)}>
        next
        <Key of="]" />
      </button>
    </>
  );
}

/** Opens a new event as soon as it is recorded. */
export async function openWhenThere(id: string, api: string): Promise<void> {
  const path = eventPath({ id, api_id: api });
  for (let tries = 0; tries < MOST_LOOKS; tries += 1) {
    const there = await get<WholeEvent>(path).then(
      () => true,
      () => false,
    );
    if (there) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  go({ screen: "events", id, query: { api } });
}
const LOOK_MS = 60;
const MOST_LOOKS = 100;

function curlOf({ row, attempts }: WholeEvent): string {
  const url = `${state.value?.url || "http://127.0.0.1:3000"}/events/${encodeURIComponent(row.api_id)}`;
  const event = attempts.at(-1)?.event ?? {};
  return `curl ${quoted(url)} -d ${quoted(JSON.stringify({ event }))}`;
}
