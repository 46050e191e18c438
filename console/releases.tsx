import { useEffect, useRef, useState } from "preact/hooks";
import type { Releases as Answer, Job, ReleaseDiff } from "./answers.ts";
import { ask, followJob, get } from "./api.ts";
import { useKeys } from "./keys.ts";
import { onRelease } from "./list.ts";
import { Back, Copy, Dialog, DiffLines, Key, Notice, useAction, useLoaded } from "./parts.tsx";
import { TryResult } from "./rerun.tsx";
import { go, link, refine, route } from "./router.ts";
import { mayWrite, readState, state, tell } from "./state.ts";
import { count, countOf, dayClock, share, shown, utc } from "./text.ts";

type Release = Answer["releases"][number];
const SHORT = 8;
const short = (version: string) => shown(version.slice(0, SHORT));

export function Releases() {
  const { id } = route.value;
  const { value, error, reload } = useLoaded((signal) => get<Answer>("/releases", signal), []);
  useEffect(() => onRelease(reload), []);
  const back = () => go({ screen: "releases" });
  useKeys({ Esc: { does: "back to the list", run: back } });
  const release = value?.releases.find(({ version }) => version === id);
  return (
    <>
      <section class="pane list" aria-label="Releases">
        {error !== undefined && (
          <div class="tools">
            <Notice kind="fail">{shown(error)}</Notice>
          </div>
        )}
        {value && <List releases={value} />}
      </section>
      {value && id !== undefined && (
        <section class="pane detail" aria-label="Release">
          {release ? (
            <Detail key={id} release={release} live={value.live} reload={reload} onClose={back} />
          ) : (
            <p class="empty">There is no release {shown(id)}.</p>
          )}
        </section>
      )}
    </>
  );
}

function resultOf({ version, result, live_at }: Release, live: string): string {
  const what = result === "partly" ? "partly live" : "live";
  if (version === live) return what;
  return result !== "refused" && live_at ? `was ${what}` : result;
}

/** At least five runs, of which more than one in ten failed. */
const isBad = ({ runs, failed }: Release) => runs >= 5 && failed / runs > 0.1;

function List({ releases: { releases, live } }: { releases: Answer }) {
  if (releases.length === 0)
    return (
      <p class="empty">
        There is no release yet: <code>npx gatehook push</code> makes one.
      </p>
    );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <div class="body" tabIndex={0} role="region" aria-label="Releases, the newest upload first">
      <table>
        <caption class="hidden">Releases</caption>
        <thead>
          <tr>
            <th scope="col">release</th>
            <th scope="col">result</th>
            <th scope="col">built</th>
            <th scope="col" class="number">
              APIs
            </th>
            <th scope="col" class="number">
              scripts
            </th>
            <th scope="col" class="number">
              errors
            </th>
            <th scope="col" class="number">
              warnings
            </th>
            <th scope="col" class="number">
              attempts
            </th>
            <th scope="col" class="number">
              failed
            </th>
          </tr>
        </thead>
        <tbody>
          {releases.map((release) => {
            const { version, built_at, apis, scripts, error_count, warning_count, runs, failed } = release;
            return (
              <tr>
                <th scope="row">
                  {version === live && <span class="done">● </span>}
                  <a
                    {...link({ screen: "releases", id: version })}
                    class="mono"
                    aria-current={route.value.id === version ? "true" : undefined}
                  >
                    {short(version)}
                  </a>
                </th>
                <td class={release.result === "refused" ? "fail" : ""}>{resultOf(release, live)}</td>
                <td title={utc(built_at)}>{dayClock(built_at)}</td>
                <td class="number">{apis}</td>
                <td class="number">{scripts}</td>
                <td class={`number ${error_count > 0 ? "fail" : ""}`}>{error_count}</td>
                <td class={`number ${warning_count > 0 ? "wait" : ""}`}>{warning_count}</td>
                <td class="number">{runs === 0 ? "–" : count(runs)}</td>
                <td class={`number ${isBad(release) ? "fail" : ""}`}>
                  {share(failed, runs)}
                  {isBad(release) && " !"}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Detail({
  release,
  live,
  reload,
  onClose,
}: {
  release: Release;
  live: string;
  reload: () => void;
  onClose: () => void;
}) {
  const { version, built_at, errors, warnings, changes, held, live_at } = release;
  const isLive = version === live;
  const isDiffing = route.value.query.diff === "live";
  const [isRolling, setRolling] = useState(false);
  const [tried, setTried] = useState<Job | undefined>(undefined);
  const { problem, run } = useAction();
  const tryOut = () =>
    run(async () =>
      followJob(
        await ask<Job>("POST", `/releases/${encodeURIComponent(version)}/try`, { body: {} }),
        setTried,
      ),
    );
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  const canRoll = mayWrite() && !isLive && live_at !== undefined;
  const toggle = () => refine({ diff: isDiffing ? undefined : "live" });
  useKeys({ d: { does: "diff with live", run: () => !isLive && toggle() } });
  return (
    <>
      <div class="tools">
        <Back to="list" onClick={onClose} />
        <h2 class="mono" ref={title} tabIndex={-1}>
          {shown(version)}
        </h2>
        <span>{resultOf(release, live)}</span>
      </div>
      <div class="tools">
        <button type="button" aria-pressed={isDiffing} disabled={isLive} onClick={toggle}>
          Diff with live
          <Key of="d" />
        </button>
        <button type="button" class="harm" disabled={!canRoll} onClick={() => setRolling(true)}>
          Roll back…
        </button>
        {state.value?.has.rerun && (
          <button type="button" disabled={tried?.state === "running"} onClick={tryOut}>
            Try on the last 50 events
          </button>
        )}
        <Copy text={isLive ? `npx gatehook releases ${version}` : `npx gatehook diff live ${version}`} />
        <a {...link({ screen: "events", query: { q: `release:${version.slice(0, SHORT)}` } })}>its events</a>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <div class="body" tabIndex={0} role="region" aria-label="The release">
        <p class="muted" title={utc(built_at)}>
          built {dayClock(built_at)}
          {live_at ? `, live since ${dayClock(live_at)}` : ", never live"}
        </p>
        {problem && <Notice kind="fail">{shown(problem)}</Notice>}
        {tried && <TryResult job={tried} />}
        {isDiffing && !isLive ? <Diff from={live} to={version} /> : null}
        {held && (
          <Notice kind="fail">
            Live in part: {[...held.kept, ...held.left_out].map(shown).join(", ")} stay as they were.
          </Notice>
        )}
        <Problems name="Errors" of={errors} look="fail" />
        <Problems name="Warnings" of={warnings} look="wait" />
        {errors.length + warnings.length === 0 && <p>No errors and no warnings.</p>}
        {changes && <ChangedNames of={changes} />}
      </div>
      {isRolling && (
        <RollBack version={version} live={live} onClose={() => setRolling(false)} onDone={reload} />
      )}
    </>
  );
}

function Problems({ name, of, look }: { name: string; of: Release["errors"]; look: string }) {
  if (of.length === 0) return null;
  return (
    <>
      <h2>{name}</h2>
      <ul>
        {of.map(({ file, line, column, message }) => (
          <li>
            <code>{shown([file, line, column].filter((each) => each !== undefined).join(":"))}</code>{" "}
            <span class={look}>{shown(message)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function ChangedNames({ of }: { of: NonNullable<Release["changes"]> }) {
  const rows = Object.entries(of).flatMap(([kind, { added, changed, removed }]) =>
    Object.entries({ added, changed, removed }).flatMap(([what, names]) =>
      names.length > 0 ? [{ kind, what, names }] : [],
    ),
  );
  if (rows.length === 0) return null;
  return (
    <>
      <h2>Compared with the previous release</h2>
      <dl class="facts">
        {rows.map(({ kind, what, names }) => (
          <>
            <dt>
              {what} {kind}
            </dt>
            <dd>{names.map(shown).join(", ")}</dd>
          </>
        ))}
      </dl>
    </>
  );
}

function Diff({ from, to }: { from: string; to: string }) {
  const { value, error } = useLoaded(
    (signal) =>
      get<ReleaseDiff>(`/releases/${encodeURIComponent(from)}/diff/${encodeURIComponent(to)}`, signal),
    [from, to],
  );
  if (error !== undefined) return <Notice kind="fail">{shown(error)}</Notice>;
  if (!value) return null;
  if (value.parts.length === 0) return <Notice>It has the same content as the live one.</Notice>;
  return (
    <>
      <h2>
        From live {short(from)} to this: {countOf(value.parts.length, "part")}
      </h2>
      {value.parts.map(({ kind, name, what, lines }) => (
        <section>
          <h3>
            {what} {kind} {shown(name)}
          </h3>
          <DiffLines lines={lines} />
        </section>
      ))}
    </>
  );
}

const TYPED = 4;

function RollBack({
  version,
  live,
  onClose,
  onDone,
}: {
  version: string;
  live: string;
  onClose: () => void;
  onDone: () => void;
}) {
  const [typed, setTyped] = useState("");
  const { busy, problem, run } = useAction();
  const isMeant = typed === version.slice(0, TYPED);
  function roll(event: SubmitEvent) {
    event.preventDefault();
    if (!isMeant) return;
    run(async () => {
      await ask("POST", `/releases/${encodeURIComponent(version)}/rollback`, { body: { expect_live: live } });
      tell(`release ${version.slice(0, SHORT)} is live again`);
      await readState();
      onClose();
      onDone();
    });
  }
  return (
    <Dialog title="Roll back" onClose={onClose}>
      <form onSubmit={roll}>
        <p>
          <code>{short(version)}</code> goes live in place of <code>{short(live)}</code>. What was uploaded
          last stays in the bucket: the next upload that differs from it goes live.
        </p>
        <label class="field">
          Type the first {TYPED} characters of the version: {shown(version.slice(0, TYPED))}
          <input
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
            maxLength={TYPED}
            autofocus
            spellcheck={false}
            autocomplete="off"
          />
        </label>
        {problem && <Notice kind="fail">{shown(problem)}</Notice>}
        <div class="actions">
          <button type="submit" class="harm" disabled={!isMeant || busy}>
            Roll back
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <Copy text={`npx gatehook rollback ${version}`} />
        </div>
      </form>
    </Dialog>
  );
}
