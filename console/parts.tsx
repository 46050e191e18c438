import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { RowOutcome } from "../lib/history/event-rows.ts";
import type { MemberChange } from "../lib/sessions/changes.ts";
import { messageOf } from "./api.ts";
import { tell } from "./state.ts";
import { countOf, moved, shown, shownLines, valueText } from "./text.ts";

export const OUTCOMES: Record<RowOutcome, [mark: string, look: string]> = {
  queued: ["…", "wait"],
  done: ["✓", "done"],
  failed: ["✗", "fail"],
  dead: ["☠", "fail"],
  conflict: ["↻", "wait"],
  unstarted: ["↻", "wait"],
  "handed-back": ["↻", "wait"],
  dropped: ["⊘", "fail"],
  refused: ["⊘", "fail"],
};

/** The outcome as a shape, a word and a colour. */
export function Outcome({ of }: { of: RowOutcome }) {
  const [mark, look] = OUTCOMES[of] ?? ["?", ""];
  return (
    <span class={look}>
      <span aria-hidden="true">{mark}</span> {of}
    </span>
  );
}

export function Key({ of }: { of: string }) {
  return (
    <span aria-hidden="true">
      <kbd>{of}</kbd>
    </span>
  );
}

/** Closes what is open. */
export function Back({ to, onClick }: { to: string; onClick: () => void }) {
  return (
    <button type="button" onClick={onClick}>
      <span aria-hidden="true">←</span>
      <span class="hidden">Back to the {to}</span>
      <Key of="Esc" />
    </button>
  );
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    tell(`copied: ${what}`);
  } catch (thrown) {
    tell(`not copied: ${messageOf(thrown)}`, "fail");
  }
}

export function Copy({ text, what = "command" }: { text: string; what?: string }) {
  return (
    <button
      type="button"
      onClick={() => void copy(text, what)}
      title={text.length < 300 ? shown(text) : undefined}
    >
      Copy {what}
    </button>
  );
}

export function Notice({ kind = "", children }: { kind?: string; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`} role={kind === "fail" ? "alert" : undefined}>
      {children}
    </div>
  );
}

/** Text of several lines that others wrote; only the beginning of a long text. */
export function Code({ text }: { text: string }) {
  const [isWhole, setWhole] = useState(false);
  const long = text.length > FOLDED && !isWhole;
  return (
    <>
      <pre>{shownLines(long ? text.slice(0, FOLDED) : text)}</pre>
      {long && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {countOf(Math.ceil(text.length / 1_024), "kB")}
        </button>
      )}
    </>
  );
}
const FOLDED = 65_536;

/** JSON as a tree that can be opened; any other text unchanged. */
export function Json({ text, open = 2 }: { text: string; open?: number }) {
  const value = parsed(text);
  if (value === undefined || text.length > 4 * FOLDED) return <Code text={text} />;
  return (
    <div class="tree mono">
      <Tree value={value} depth={0} open={open} />
    </div>
  );
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const isMembers = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const MEMBERS = 200;

function Tree({ name, value, depth, open }: { name?: string; value: unknown; depth: number; open: number }) {
  const [isOpen, setOpen] = useState(depth < open);
  const label = name === undefined ? "" : `${shown(name)}: `;
  if (typeof value !== "object" || value === null)
    return (
      <div class="leaf">
        <span class="name">{label}</span>
        {shown(JSON.stringify(value) ?? "")}
      </div>
    );
  const entries = Object.entries(value);
  const [from, to] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0)
    return (
      <div class="leaf">
        <span class="name">{label}</span>
        {from + to}
      </div>
    );
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="name">{label}</span>
        {isOpen ? from : `${from} ${countOf(entries.length, "member")} ${to}`}
      </summary>
      {isOpen && (
        <>
          {entries.slice(0, MEMBERS).map(([each, inner]) => (
            <Tree key={each} name={each} value={inner} depth={depth + 1} open={open} />
          ))}
          {entries.length > MEMBERS && (
            <div class="muted">{countOf(entries.length - MEMBERS, "more member")}</div>
          )}
          <div>{to}</div>
        </>
      )}
    </details>
  );
}

/** The changes of a session. */
export function Changes({ of }: { of: MemberChange[] }) {
  if (of.length === 0) return <p class="muted">nothing changed</p>;
  return (
    <div class="diff">
      {of.map(({ name, before, after }) => (
        <>
          <span>{shown(name)}</span>
          <span>
            {before !== undefined && (
              <span class="fail">
                <span aria-hidden="true">− </span>
                <span class="hidden">before </span>
                {valueText(before)}
              </span>
            )}
            {before !== undefined && after !== undefined && " → "}
            {after !== undefined && (
              <span class="done">
                <span aria-hidden="true">+ </span>
                <span class="hidden">after </span>
                {valueText(after)}
              </span>
            )}
            <span class="muted"> {moved(name, before, after)}</span>
          </span>
        </>
      ))}
    </div>
  );
}

/** Lines of a diff, as the command line prints them. */
export function DiffLines({ lines }: { lines: string[] }) {
  return (
    <pre class="lines">
      {lines.map((line) => (
        <span
          class={line[2] === "+" ? "plus" : line[2] === "-" ? "minus" : ""}
        >{`${shownLines(line)}\n`}</span>
      ))}
    </pre>
  );
}

export interface Tab {
  name: string;
  /** Shown after the name. */
  count?: number | undefined;
}

/** The keys 1 to 9 choose a tab. */
export function Tabs({
  tabs,
  chosen,
  onChoose,
  label,
}: {
  tabs: Tab[];
  chosen: number;
  onChoose: (at: number) => void;
  label: string;
}) {
  const list = useRef<HTMLDivElement>(null);
  function onKeyDown(event: KeyboardEvent) {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = (chosen + step + tabs.length) % tabs.length;
    onChoose(next);
    list.current?.querySelectorAll("button")[next]?.focus();
  }
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
      {tabs.map(({ name, count: number }, at) => (
        <button
          type="button"
          role="tab"
          id={`tab-${at}`}
          aria-selected={at === chosen}
          aria-controls="tab-panel"
          tabIndex={at === chosen ? 0 : -1}
          onClick={() => onChoose(at)}
        >
          <span class="muted">{at + 1}</span> {name}
          {number ? ` ${number}` : ""}
        </button>
      ))}
    </div>
  );
}

/** A `<dialog>` that is open while it is mounted; the browser restores the focus. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

/** The data loaded for these keys. The previous data stays until the new data is loaded. */
export function useLoaded<Answer>(load: (signal: AbortSignal) => Promise<Answer>, keys: unknown[]) {
  const [got, set] = useState<{ value?: Answer; error?: string }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      (value) => !stop.signal.aborted && set({ value }),
      (thrown: unknown) => !stop.signal.aborted && set((now) => ({ ...now, error: messageOf(thrown) })),
    );
    return () => stop.abort();
  }, [...keys, turn]);
  return { ...got, reload: () => setTurn((now) => now + 1) };
}

/** Runs an action, one at a time, and reports its error. */
export function useAction(): { busy: boolean; problem: string; run: (work: () => Promise<void>) => void } {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  return {
    busy,
    problem,
    run(work) {
      if (busy) return;
      setBusy(true);
      setProblem("");
      work()
        .catch((thrown: unknown) => setProblem(messageOf(thrown)))
        .finally(() => setBusy(false));
    },
  };
}
