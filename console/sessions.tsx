import { useEffect, useRef } from "preact/hooks";
import type { SessionHistory, SessionList, SessionSummary, Types } from "./answers.ts";
import { get, messageOf } from "./api.ts";
import { useKeys } from "./keys.ts";
import { Back, Changes, Notice, useLoaded } from "./parts.tsx";
import { go, link, refine, route } from "./router.ts";
import { Editor } from "./session-editor.tsx";
import { pathOf, read } from "./session-text.ts";
import { state, tell } from "./state.ts";
import { changerText, countOf, dayClock, endText, HOUR, unixNow as now, shown, utc } from "./text.ts";

export function Sessions() {
  const { id } = route.value;
  const field = useRef<HTMLInputElement>(null);
  const back = () => go({ screen: "sessions", query: route.value.query });
  useKeys({
    "/": { does: "find a key", run: () => field.current?.focus() },
    Esc: { does: "back to the list", run: back },
  });
  return (
    <>
      <section class="pane list" aria-label="Sessions">
        <Finder field={field} />
        <Found />
      </section>
      {id !== undefined && <SessionPane key={id} id={id} onClose={back} />}
    </>
  );
}

function Finder({ field }: { field: { current: HTMLInputElement | null } }) {
  const { org = "", alias = "" } = route.value.query;
  const { value: types } = useLoaded(
    (signal) => (state.value?.has.send ? get<Types>("/types", signal) : Promise.resolve(undefined)),
    [],
  );
  const orgs = [...new Set(types?.apis.map(({ org_id }) => org_id).filter(Boolean))];
  const [first] = orgs;
  // If there is only one organisation, it is chosen automatically.
  useEffect(() => {
    if (org === "" && alias === "" && first) refine({ org: first });
  }, [first]);
  function open(event: SubmitEvent) {
    event.preventDefault();
    const key = field.current?.value.trim() ?? "";
    if (key !== "") go({ screen: "sessions", id: key, query: route.value.query });
  }
  function list(event: SubmitEvent) {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    refine(
      {
        org: String(data.get("org")),
        alias: String(data.get("alias")),
        ends: String(data.get("ends")),
        cursor: undefined,
      },
      "push",
    );
  }
  return (
    <>
      <form class="tools" onSubmit={open} role="search">
        <label class="field grow">
          Key
          <input ref={field} spellcheck={false} autocomplete="off" />
        </label>
        <button type="submit">Open</button>
      </form>
      <form class="tools" onSubmit={list} aria-label="List sessions">
        <label class="field">
          Organisation
          <input name="org" key={org} defaultValue={org} list="orgs" spellcheck={false} />
        </label>
        <datalist id="orgs">
          {orgs.map((each) => (
            <option value={each} />
          ))}
        </datalist>
        <label class="field">
          Alias
          <input name="alias" key={alias} defaultValue={alias} spellcheck={false} />
        </label>
        <label class="field">
          Ends
          <select name="ends" defaultValue={route.value.query.ends ?? ""}>
            <option value="">at any time</option>
            <option value="hour">in an hour</option>
            <option value="day">in a day</option>
            <option value="week">in a week</option>
            <option value="past">ended before now</option>
          </select>
        </label>
        <button type="submit">List</button>
      </form>
    </>
  );
}

const SPANS: Record<string, number> = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR };

function listQuery({ org, alias, ends = "", cursor }: Record<string, string>): string | undefined {
  if (!org && !alias) return undefined;
  const span = SPANS[ends];
  return String(
    new URLSearchParams({
      ...(org && { org_id: org }),
      ...(alias && { alias }),
      ...(span && { expires_after: String(now()), expires_before: String(now() + span) }),
      ...(ends === "past" && { expires_before: String(now()) }),
      ...(cursor && { cursor }),
      limit: "100",
    }),
  );
}

function Found() {
  const { query } = route.value;
  const { value, error } = useLoaded(
    async (signal) => {
      const asked = listQuery(query);
      return asked === undefined ? undefined : get<SessionList>(`/sessions?${asked}`, signal);
    },
    [query.org, query.alias, query.ends, query.cursor],
  );
  if (error !== undefined)
    return (
      <div class="empty">
        <Notice kind="fail">{shown(error)}</Notice>
      </div>
    );
  if (!value) return <p class="empty muted">Open a key, or name an organisation to list its sessions.</p>;
  if (value.sessions.length === 0) return <p class="empty muted">No session matches.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <div class="body" tabIndex={0} role="region" aria-label="Sessions found">
      <table>
        <caption class="hidden">Sessions</caption>
        <thead>
          <tr>
            <th scope="col">key</th>
            <th scope="col">ends</th>
            <th scope="col">changed</th>
          </tr>
        </thead>
        <tbody>
          {value.sessions.map((each) => (
            <SummaryRow of={each} />
          ))}
        </tbody>
      </table>
      {value.cursor && (
        <p>
          <button type="button" onClick={() => refine({ cursor: value.cursor ?? undefined }, "push")}>
            Older ones
          </button>
        </p>
      )}
    </div>
  );
}

function SummaryRow({ of: { key, expires, updated_at, changed_by, error } }: { of: SessionSummary }) {
  const isOpen = route.value.id === key;
  const by = changerText(changed_by);
  return (
    <tr>
      <td>
        <a
          {...link({ screen: "sessions", id: key, query: route.value.query })}
          aria-current={isOpen ? "true" : undefined}
        >
          {shown(key)}
        </a>
        {error && <div class="fail">{shown(error.message)}</div>}
      </td>
      <td>{endText(expires)}</td>
      <td>
        {updated_at > 0 ? dayClock(new Date(updated_at * 1_000).toISOString()) : ""}
        {by !== "" && (
          <span title={shown(changed_by?.who ?? "")}>
            {" by "}
            {shown(by)}
          </span>
        )}
      </td>
    </tr>
  );
}

function SessionPane({ id, onClose }: { id: string; onClose: () => void }) {
  const { value, error, reload } = useLoaded((signal) => read(id, signal), [id]);
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  return (
    <section class="pane detail" aria-label="Session">
      <div class="tools">
        <Back to="list" onClick={onClose} />
        <h2 ref={title} tabIndex={-1}>
          {shown(id)}
        </h2>
        {value && <span class="muted">version {shown(value.etag.replaceAll('"', ""))}</span>}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <div class="body" tabIndex={0} role="region" aria-label="The session">
        {error !== undefined && <Notice kind="fail">{shown(error)}</Notice>}
        {value && <Editor id={id} read={value} reload={reload} onClose={onClose} key={value.etag} />}
        <History id={id} />
      </div>
    </section>
  );
}

function History({ id }: { id: string }) {
  const { value } = useLoaded(
    (signal) =>
      state.value?.has.events
        ? get<SessionHistory>(pathOf(id, "/history"), signal).catch((thrown: unknown) => {
            tell(messageOf(thrown), "fail");
            return { changes: [], edits: [] };
          })
        : Promise.resolve(undefined),
    [id],
  );
  if (!value) return null;
  return (
    <section>
      <h2>History</h2>
      {value.changes.length === 0 ? (
        <p class="muted">No recorded event has changed it.</p>
      ) : (
        <p class="muted">{countOf(value.changes.length, "change")} by recorded events, the newest first</p>
      )}
      <Edits of={value.edits} />
      {value.changes.map(({ at, event, type, handler, release, counts, changes, now: is }) => (
        <div>
          <h3>
            <span title={utc(at)}>{dayClock(at)}</span> {shown(handler)} ·{" "}
            <a {...link({ screen: "events", id: event.id, query: { api: event.api_id } })}>
              {shown(type)} {shown(event.id.slice(0, 8))}
            </a>{" "}
            <span class="muted">release {shown(release.slice(0, 8))}</span>
            {!counts && <span class="wait"> did not count</span>}
          </h3>
          {changes ? <Changes of={changes} /> : <p>{is === "gone" ? "deleted" : "made"}</p>}
        </div>
      ))}
    </section>
  );
}

/** Changes by people with the console of a stage, with the values that are not secret. */
function Edits({ of }: { of: SessionHistory["edits"] }) {
  if (of.length === 0) return null;
  return (
    <>
      <h3>By the console</h3>
      <ul>
        {of.map(({ at, who, what, changes = [], result }) => (
          <li>
            <span title={utc(at)}>{dayClock(at)}</span> {shown(who)} {what}
            {result !== "done" && <span class="wait"> {result}</span>}
            {changes.length > 0 && `: ${changes.map(editText).join(", ")}`}
          </li>
        ))}
      </ul>
    </>
  );
}

function editText({ name, before, after }: NonNullable<SessionHistory["edits"][number]["changes"]>[number]) {
  if (before === undefined && after === undefined) return shown(name);
  const text = (value: unknown) => (value === undefined ? "…" : shown(JSON.stringify(value)));
  return `${shown(name)} ${text(before)} → ${text(after)}`;
}
