import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { EventPane } from "./event.tsx";
import { FirstEvent } from "./first-event.tsx";
import { useKeys } from "./keys.ts";
import {
  cursor,
  found,
  isAtTop,
  isComplete,
  isPaused,
  keyOf,
  order,
  problem,
  rowOf,
  show,
  showWaiting,
  togglePause,
  waiting,
} from "./list.ts";
import { Key, Notice, OUTCOMES, Outcome } from "./parts.tsx";
import { go, refine, route } from "./router.ts";
import { behindBy, state } from "./state.ts";
import { clock, count, shown, utc } from "./text.ts";

const FAILED = "outcome:failed outcome:dead";

/** The list, and the open event beside it. */
export function Events() {
  const { id, query } = route.value;
  const { q = "" } = query;
  useEffect(() => void show(q), [q]);
  const search = useRef<HTMLInputElement>(null);
  const toggleFailed = () => refine({ q: q.includes(FAILED) ? without(q) : `${FAILED} ${q}`.trim() });

  useKeys({
    "/": { does: "search", run: () => search.current?.focus() },
    f: { does: "failed only", run: toggleFailed },
    space: { does: "pause or continue", run: togglePause },
    "↓": { does: "next event", run: () => move(1) },
    j: { does: "next event", run: () => move(1) },
    "↑": { does: "previous event", run: () => move(-1) },
    k: { does: "previous event", run: () => move(-1) },
    Enter: { does: "open", run: () => cursor.value !== undefined && open(cursor.value) },
    ".": { does: "show new events", run: showNew },
    Esc: { does: "back to the list", run: back },
  });

  if (state.value?.has.events === false) return <NotRecorded />;
  return (
    <>
      <section class="pane list" aria-label="Events">
        <div class="tools" role="search">
          <SearchField field={search} q={q} />
          <button type="button" aria-pressed={q.includes(FAILED)} onClick={toggleFailed}>
            failed only
            <Key of="f" />
          </button>
          <button type="button" aria-pressed={isPaused.value} onClick={togglePause}>
            {isPaused.value ? "continue" : "pause"}
            <Key of="space" />
          </button>
          <New />
        </div>
        <List q={q} />
      </section>
      {id !== undefined && <EventPane key={`${query.api}#${id}`} id={id} api={query.api} onClose={back} />}
    </>
  );
}

const without = (q: string) => q.replace(FAILED, "").trim();

function SearchField({ field, q }: { field: { current: HTMLInputElement | null }; q: string }) {
  function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    refine({ q: filterFor(text) }, "push");
    document.querySelector<HTMLElement>(".grid")?.focus();
  }
  return (
    <form class="grow" onSubmit={onSubmit}>
      <label class="hidden" for="search">
        Search: words such as type:KeyExpired, a key, or "a text"
      </label>
      <input
        id="search"
        ref={field}
        type="search"
        style={{ width: "100%" }}
        placeholder='key, type:… -outcome:done "a text"   /'
        // A new filter in the address replaces the text in this field.
        key={q}
        defaultValue={q}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={problem.value !== ""}
        aria-describedby="search-problem"
      />
    </form>
  );
}

/** A single word that is not a filter is probably a pasted key. */
function filterFor(text: string): string {
  if (text === "" || /\s|"|^-?[a-z]+:/.test(text)) return text;
  return `key:${text}`;
}

function showNew(): void {
  cursor.value = undefined;
  isAtTop.value = true;
  showWaiting();
  document.querySelector(".grid")?.scrollTo({ top: 0 });
}

function New() {
  if (behindBy.value > 0)
    return (
      <button type="button" class="wait" onClick={showNew}>
        ▲ behind by {count(behindBy.value)}
        <Key of="." />
      </button>
    );
  if (waiting.value.length === 0) return null;
  return (
    <button type="button" onClick={showNew}>
      ▲ {count(waiting.value.length)} new
      <Key of="." />
    </button>
  );
}

function move(by: number): void {
  const keys = order.value;
  const now = cursor.value === undefined ? -1 : keys.indexOf(cursor.value);
  const next = keys[Math.min(Math.max(now + by, 0), keys.length - 1)];
  if (next !== undefined) cursor.value = next;
  const grid = document.querySelector<HTMLElement>(".grid");
  if (grid && !document.activeElement?.closest(".detail")) grid.focus({ preventScroll: true });
}

function open(key: string): void {
  const row = rowOf(key)?.value;
  if (!row) return;
  cursor.value = key;
  go({ screen: "events", id: row.id, query: { ...route.value.query, api: row.api_id, s: undefined } });
}

function back(): void {
  if (route.value.id === undefined) {
    cursor.value = undefined;
    return;
  }
  const { api, s, ...query } = route.value.query;
  go({ screen: "events", query });
  // The list may have been hidden behind the event.
  requestAnimationFrame(() => document.querySelector<HTMLElement>(".grid")?.focus());
}

const WIDE_ROW = 28;
const NARROW_ROW = 46;
const HEAD = 28;
const BEYOND = 6;
const narrow = matchMedia("(max-width: 699px)");

const COLUMNS = [
  ["Time", ""],
  ["Outcome", ""],
  ["Type", ""],
  ["API", "api"],
  ["Key", ""],
  ["Tries", "number"],
  ["ms", "number ms"],
];

/** Renders only the visible rows and the row of the cursor: all have the same height. */
function List({ q }: { q: string }) {
  const grid = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const isNarrow = useSignal(narrow.matches);
  const size = isNarrow.value ? NARROW_ROW : WIDE_ROW;
  const head = isNarrow.value ? 0 : HEAD;
  const keys = order.value;
  const meant = cursor.value === undefined ? -1 : keys.indexOf(cursor.value);

  useLayoutEffect(() => {
    const box = grid.current;
    if (!box) return;
    const measure = new ResizeObserver(() => {
      height.value = box.clientHeight;
    });
    const narrows = () => {
      isNarrow.value = narrow.matches;
    };
    measure.observe(box);
    narrow.addEventListener("change", narrows);
    return () => {
      measure.disconnect();
      narrow.removeEventListener("change", narrows);
    };
  }, []);

  useLayoutEffect(() => {
    const box = grid.current;
    if (!box || meant < 0) return;
    const at = meant * size;
    if (at < box.scrollTop) box.scrollTop = at;
    else if (at + size > box.scrollTop + box.clientHeight - head)
      box.scrollTop = at + size - box.clientHeight + head;
  }, [cursor.value, size]);

  // Rows that are added above must not move the visible rows on the screen.
  const before = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    const box = grid.current;
    const old = before.current;
    before.current = keys[0];
    if (!box || old === undefined || box.scrollTop < size) return;
    const moved = keys.indexOf(old);
    if (moved > 0) box.scrollTop += moved * size;
  }, [keys]);

  if (problem.value !== "")
    return (
      <div class="empty">
        <Notice kind="fail">
          <span id="search-problem">{shown(problem.value)}</span>
        </Notice>
      </div>
    );
  if (keys.length === 0 && isComplete.value) return q === "" ? <FirstEvent /> : <NothingFits q={q} />;

  const from = Math.max(0, Math.floor(top.value / size) - BEYOND);
  const to = Math.min(keys.length, Math.ceil((top.value + height.value) / size) + BEYOND);
  const seen = Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
  if (meant >= 0 && (meant < from || meant >= to)) seen.push(meant);
  return (
    <div
      class="grid"
      role="grid"
      aria-label="Events, the newest first"
      aria-rowcount={found.value + 1}
      aria-activedescendant={meant >= 0 ? `row-${meant}` : undefined}
      tabIndex={0}
      ref={grid}
      onScroll={(event) => {
        top.value = event.currentTarget.scrollTop;
        isAtTop.value = top.value < size;
      }}
    >
      <div role="rowgroup">
        <div role="row" class="heads" aria-rowindex={1}>
          {COLUMNS.map(([name, look]) => (
            <span role="columnheader" class={look}>
              {name}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" class="sizer" style={{ height: `${keys.length * size}px` }}>
        {seen.map((at) => {
          const key = keys[at] ?? "";
          return <Row key={key} of={key} at={at} size={size} isMeant={at === meant} />;
        })}
      </div>
    </div>
  );
}

function Row({ of, at, size, isMeant }: { of: string; at: number; size: number; isMeant: boolean }) {
  const row = rowOf(of)?.value;
  if (!row) return null;
  const { id, query } = route.value;
  const isOpen = id !== undefined && of === keyOf({ id, api_id: query.api ?? row.api_id });
  const [, look] = OUTCOMES[row.outcome] ?? [];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys
    <div
      role="row"
      id={`row-${at}`}
      class={`row ${isOpen ? "open" : ""} ${look}-row`}
      aria-rowindex={at + 2}
      aria-selected={isMeant}
      style={{ top: `${at * size}px` }}
      onClick={() => open(of)}
    >
      <span role="gridcell" class="time" title={utc(row.at)}>
        {clock(row.at)}
      </span>
      <span role="gridcell" class="outcome cut">
        <Outcome of={row.outcome} />
      </span>
      <span role="gridcell" class="type cut">
        {shown(row.type || row.reason || "–")}
      </span>
      <span role="gridcell" class="meta-cell cut api">
        {shown(row.api_id)}
      </span>
      <span role="gridcell" class="meta-cell cut key">
        {shown(row.key || "–")}
      </span>
      <span role="gridcell" class="number">
        {row.attempts || "–"}
      </span>
      <span role="gridcell" class="number ms">
        {row.attempts > 0 ? Math.round(row.ms) : "–"}
      </span>
    </div>
  );
}

function NothingFits({ q }: { q: string }) {
  return (
    <div class="empty">
      <p>
        No recorded event matches <code>{shown(q)}</code>. All {count(state.value?.history.events ?? 0)} were
        searched.
      </p>
      <p>
        <button type="button" onClick={() => refine({ q: undefined }, "push")}>
          Show all events
        </button>
      </p>
    </div>
  );
}

function NotRecorded() {
  return (
    <section class="pane" aria-label="Events">
      <div class="empty">
        <h2>Events are not recorded</h2>
        <p>{shown(state.value?.history.why ?? "")}</p>
      </div>
    </section>
  );
}
