import { useEffect, useRef, useState } from "preact/hooks";
import type { Types, WholeEvent } from "./answers.ts";
import { ask, eventPath, get, messageOf, RequestError, request } from "./api.ts";
import { openWhenThere } from "./event.tsx";
import { copy, isMembers, Key, Notice, parsed, useAction, useLoaded } from "./parts.tsx";
import { route } from "./router.ts";
import { Recent, useKeysOf } from "./send-choices.tsx";
import { TryDry } from "./send-dry.tsx";
import { commandBefore, putBefore, SessionBefore, type Wanted } from "./session-before.tsx";
import { mayWrite, state, tell } from "./state.ts";
import { countOf, quoted, shown } from "./text.ts";

type Members = Record<string, unknown>;
interface Draft {
  Type: string;
  Meta: Members;
}

/** The form and the JSON show one text: a change in one changes the other. */
export function Send() {
  const { from, api: fromApi = "" } = route.value.query;
  const [type, setType] = useState("");
  const [api, setApi] = useState(fromApi);
  const [key, setKey] = useState("");
  const [text, setText] = useState("");
  const [times, setTimes] = useState(1);
  const [rate, setRate] = useState(5);
  const [before, setBefore] = useState<Wanted>(undefined);
  const { value: types, error } = useLoaded(
    (signal) =>
      get<Types>(`/types?${new URLSearchParams({ ...(api && { api }), ...(key && { key }) })}`, signal),
    [api, key],
  );
  const org = types?.apis.find(({ api_id }) => api_id === api)?.org_id ?? types?.apis[0]?.org_id ?? "";
  const keys = useKeysOf(org);
  const { busy, problem, run } = useAction();
  const isEdited = useRef(false);
  /** The current key, even if the page was not painted since it changed. */
  const typed = useRef("");

  /** The sample of the chosen type, unless the user has changed it. */
  useEffect(() => {
    if (!types || from !== undefined || isEdited.current) return;
    const chosen =
      types.types.find((each) => each.type === type) ??
      types.types.find(({ handlers }) => handlers.length > 0) ??
      types.types[0];
    if (!chosen) return;
    if (type === "") setType(chosen.type);
    if (api === "") setApi(chosen.handlers[0]?.api_id ?? types.apis[0]?.api_id ?? "");
    const { Meta } = chosen.sample;
    const sampled = Meta.Key ?? Meta.key;
    // The user has typed since this sample was requested.
    if (typed.current !== "" && sampled !== undefined && sampled !== typed.current) return;
    setText(JSON.stringify(chosen.sample, undefined, 2));
  }, [types, type]);
  useEffect(() => {
    if (from === undefined) return;
    get<WholeEvent>(eventPath({ id: from, api_id: fromApi })).then(
      ({ attempts }) => {
        const event = attempts.at(-1)?.event;
        if (!event) return;
        isEdited.current = true;
        setApi(fromApi);
        setType(event.Type);
        setText(JSON.stringify(event, undefined, 2));
      },
      (thrown: unknown) => tell(messageOf(thrown), "fail"),
    );
  }, [from]);

  function choose(next: string) {
    isEdited.current = false;
    setType(next);
    const handled = types?.types.find((each) => each.type === next)?.handlers[0];
    if (handled && from === undefined) setApi(handled.api_id);
    const sample = types?.types.find((each) => each.type === next)?.sample;
    if (sample) setText(JSON.stringify(sample, undefined, 2));
  }
  function edit(next: string) {
    isEdited.current = true;
    setText(next);
  }

  const value = parsed(text);
  const events = Array.isArray(value) ? value : [value];
  const invalid = value === undefined ? "it is not JSON" : useless(events);
  const checked = useChecked(invalid === "" ? { api, events } : undefined);
  const mistake = invalid || checked;
  const draft = isMembers(value) && isMembers(value.Meta) ? (value as unknown as Draft) : undefined;
  const isReady = mistake === "" && api !== "" && before !== "reading";
  const canSend = mayWrite() && !busy && isReady;

  const send = () =>
    run(async () => {
      await putBefore(before);
      const { ids } = await ask<{ ids: string[] }>("POST", "/events", {
        body: { events: events.map((event) => ({ api_id: api, event })), times, rate },
      });
      tell(`${countOf(ids.length, "event")} sent`);
      const [last] = ids.slice(-1);
      if (last !== undefined) await openWhenThere(last, api);
    });
  const curl = () =>
    `curl ${quoted(`${state.value?.url ?? ""}/events/${encodeURIComponent(api)}`)} -d ${quoted(JSON.stringify(Array.isArray(value) ? value : { event: value }))}`;
  const command = () =>
    `${commandBefore(before)}printf %s ${quoted(JSON.stringify(value))} | npx gatehook send --file - --api ${quoted(api)} --wait`;

  function onKeyDown(event: KeyboardEvent) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (canSend) send();
  }

  const handled = types?.types.filter(({ handlers }) => handlers.length > 0) ?? [];
  const others = types?.types.filter(({ handlers }) => handlers.length === 0) ?? [];
  return (
    <section class="pane" aria-label="Send" onKeyDown={onKeyDown}>
      <div class="body">
        <h2>Send an event</h2>
        {error !== undefined && <Notice kind="fail">{shown(error)}</Notice>}
        <form class="fields" onSubmit={(event) => event.preventDefault()}>
          <label class="field">
            Type
            <select value={type} onChange={(event) => choose(event.currentTarget.value)} ref={focused}>
              <optgroup label="with a handler">
                {handled.map((each) => (
                  <option value={each.type}>{shown(each.type)}</option>
                ))}
              </optgroup>
              <optgroup label="without a handler here">
                {others.map((each) => (
                  <option value={each.type}>{shown(each.type)}</option>
                ))}
              </optgroup>
            </select>
          </label>
          <label class="field">
            API
            <input
              value={api}
              list="apis"
              onInput={(event) => setApi(event.currentTarget.value)}
              required
              spellcheck={false}
            />
          </label>
          <datalist id="apis">
            {types?.apis.map(({ api_id }) => (
              <option value={api_id} />
            ))}
            <option value="gateway" />
          </datalist>
          {draft && ("Key" in draft.Meta || "key" in draft.Meta) && (
            <label class="field">
              Key
              <input
                value={String(draft.Meta.Key ?? draft.Meta.key ?? "")}
                list="keys"
                onInput={(event) => {
                  const next = event.currentTarget.value;
                  typed.current = next;
                  if (!isEdited.current) setKey(next);
                  setText(withMeta(draft, "Key" in draft.Meta ? "Key" : "key", next));
                }}
                spellcheck={false}
              />
              <datalist id="keys">
                {keys.map((each) => (
                  <option value={each} />
                ))}
              </datalist>
            </label>
          )}
          {draft &&
            Object.entries(draft.Meta)
              .filter(
                ([name, member]) =>
                  !["Key", "key", "OriginatingRequest"].includes(name) &&
                  ["string", "number", "boolean"].includes(typeof member),
              )
              .map(([name, member]) => (
                <label class="field">
                  Meta.{shown(name)}
                  <input
                    value={String(member)}
                    onInput={(event) =>
                      edit(withMeta(draft, name, likeBefore(member, event.currentTarget.value)))
                    }
                    spellcheck={false}
                  />
                </label>
              ))}
          <Recent />
          <label class="field wide">
            JSON: one event, or a list of them
            <textarea
              rows={14}
              value={text}
              onInput={(event) => edit(event.currentTarget.value)}
              spellcheck={false}
              aria-invalid={mistake !== ""}
              aria-describedby="valid"
            />
          </label>
        </form>
        {state.value?.has.sessions && (
          <SessionBefore
            name={String(draft?.Meta.Key ?? draft?.Meta.key ?? "")}
            org={org}
            api={api}
            value={before}
            onChange={setBefore}
          />
        )}
        <p id="valid" class={mistake === "" ? "done" : "fail"} role="status">
          {mistake === "" ? "✓ valid" : `✗ ${shown(mistake)}`}
        </p>
        <div class="actions">
          <button type="button" class="main-action" disabled={!canSend} onClick={send}>
            Send
            <Key of="Ctrl Enter" />
          </button>
          <label>
            <input
              type="number"
              min={1}
              max={1000}
              value={times}
              onInput={(event) => setTimes(event.currentTarget.valueAsNumber)}
            />{" "}
            times,
          </label>
          <label>
            <input
              type="number"
              min={0.1}
              max={1000}
              step="any"
              value={rate}
              onInput={(event) => setRate(event.currentTarget.valueAsNumber)}
            />{" "}
            a second
          </label>
          <button type="button" onClick={() => void copy(curl(), "curl")} disabled={invalid !== ""}>
            Copy curl
          </button>
          <button type="button" onClick={() => void copy(command(), "command")} disabled={invalid !== ""}>
            Copy command
          </button>
        </div>
        {problem && <Notice kind="fail">{shown(problem)}</Notice>}
        {from !== undefined && state.value?.has.rerun && (
          <TryDry of={{ id: from, api_id: fromApi }} event={draft} canTry={mistake === ""} />
        )}
      </div>
    </section>
  );
}

/** After opening this screen with a key, the user can type immediately. */
function focused(element: HTMLElement | null): void {
  if (element && document.activeElement === document.body) element.focus();
}

function useless(events: unknown[]): string {
  if (events.length === 0) return "the list is empty";
  return events.every(isMembers) ? "" : "an event is a JSON object";
}

const CHECK_MS = 150;

/** Ingest's answer to the text, requested when the user stops typing. */
function useChecked(draft: { api: string; events: unknown[] } | undefined): string {
  const [mistake, setMistake] = useState("");
  const text = JSON.stringify(draft);
  useEffect(() => {
    if (!draft || draft.api === "") return setMistake(draft ? "an API is missing" : "");
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const body = { events: draft.events.map((event) => ({ api_id: draft.api, event })) };
      request("POST", "/events/check", { body, signal: stop.signal }).then(
        () => setMistake(""),
        (thrown: unknown) =>
          !stop.signal.aborted &&
          setMistake(thrown instanceof RequestError ? thrown.message : messageOf(thrown)),
      );
    }, CHECK_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  return mistake;
}

const withMeta = (draft: Draft, name: string, value: unknown) =>
  JSON.stringify({ ...draft, Meta: { ...draft.Meta, [name]: value } }, undefined, 2);

/** A number stays a number while the typed text is one. */
function likeBefore(before: unknown, text: string): unknown {
  if (typeof before === "number" && text.trim() !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (typeof before === "boolean" && ["true", "false"].includes(text)) return text === "true";
  return text;
}
