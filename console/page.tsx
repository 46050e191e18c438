import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { State } from "./answers.ts";
import { bringToken, takeToken, token } from "./api.ts";
import { DeadLetters } from "./dead-letters.tsx";
import { Events } from "./events.tsx";
import { Help } from "./help.tsx";
import { useKeys } from "./keys.ts";
import { follow, onRelease, show } from "./list.ts";
import { Overview } from "./overview.tsx";
import { Key, Notice, useLoaded } from "./parts.tsx";
import { Releases } from "./releases.tsx";
import { Pins } from "./rerun.tsx";
import { go, link, route, type Screen } from "./router.ts";
import { Send } from "./send.tsx";
import { Sessions } from "./sessions.tsx";
import { link as connection, lostSince, readState, said, state, toast } from "./state.ts";
import { clock, count, shown } from "./text.ts";

takeToken();
addEventListener("hashchange", takeToken);

const NAMES: Record<Screen, string> = {
  events: "Events",
  sessions: "Sessions",
  releases: "Releases",
  "dead-letters": "Dead letters",
  overview: "Overview",
  send: "Send",
};

function App() {
  if (token.value === undefined) return <NoToken />;
  return <Console />;
}

function Console() {
  const { error } = useLoaded(readState, []);
  const [isHelping, setHelping] = useState(false);
  const { screen } = route.value;
  // All screens share one stream, which has the events that the list of events shows.
  useEffect(() => {
    if (state.value && screen !== "events") void (state.value.has.events ? show("") : follow());
  }, [state.value !== undefined]);
  useEffect(() => onRelease(() => void readState().catch(() => {})), []);
  useEffect(() => {
    document.title = `${NAMES[screen]} – gatehook`;
  }, [screen]);
  const to = (name: Screen) => ({ does: NAMES[name], run: () => go({ screen: name }) });
  useKeys({
    "?": { does: "help", run: () => setHelping(true) },
    n: { ...to("send"), does: "send an event" },
    "g e": to("events"),
    "g s": to("sessions"),
    "g r": to("releases"),
    "g d": to("dead-letters"),
    "g o": to("overview"),
  });
  return (
    <>
      <a class="skip hidden" href="#main">
        To the content
      </a>
      <div class="app">
        <Head onHelp={() => setHelping(true)} />
        <section class="bars" aria-label="State">
          <Bars error={error} />
          <Pins />
        </section>
        <Rail />
        <main class="main" id="main" tabIndex={-1}>
          {state.value && <ScreenOf screen={screen} has={state.value.has} />}
        </main>
      </div>
      <div class="hidden" role="status" aria-live="polite">
        {said.value}
      </div>
      {toast.value && (
        <div
          class={`toast ${toast.value.kind === "fail" ? "fail" : ""}`}
          role={toast.value.kind === "fail" ? "alert" : "status"}
        >
          {shown(toast.value.text)}
        </div>
      )}
      {isHelping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

function NotHere({ what }: { what: string }) {
  return <p class="empty">There is no {what} here.</p>;
}

function ScreenOf({ screen, has }: { screen: Screen; has: State["has"] }) {
  switch (screen) {
    case "events":
      return <Events />;
    case "sessions":
      return has.sessions ? <Sessions /> : <NotHere what="sessions" />;
    case "releases":
      return has.releases ? <Releases /> : <NotHere what="releases" />;
    case "dead-letters":
      return has.dead_letters ? <DeadLetters /> : <NotHere what="dead letters" />;
    case "overview":
      return <Overview />;
    case "send":
      return has.send ? <Send /> : <NotHere what="way to send events" />;
  }
}

const LINKS = {
  connecting: ["…", "wait"],
  live: ["●", "done"],
  paused: ["‖", "wait"],
  behind: ["▲", "wait"],
  lost: ["✗", "fail"],
};

function Head({ onHelp }: { onHelp: () => void }) {
  const { mode, place = "", release } = state.value ?? {};
  const [mark, look] = LINKS[connection.value] ?? [];
  return (
    <header class="head">
      <strong>gatehook</strong>
      <h1 class="hidden">{NAMES[route.value.screen]}</h1>
      <span class="break">
        {mode === "dev" ? "dev" : shown(place)}
        {release?.version ? (
          <>
            {" · "}
            <a {...link({ screen: "releases", id: release.version })}>
              release {shown(release.version.slice(0, 8))}
            </a>
          </>
        ) : null}
      </span>
      <span class={look}>
        <span aria-hidden="true">{mark}</span> {connection.value}
      </span>
      <span class="push">
        {state.value?.has.send && (
          <a {...link({ screen: "send" })}>
            Send
            <Key of="n" />
          </a>
        )}
      </span>
      <button type="button" onClick={onHelp} aria-label="Help and keys">
        ?
      </button>
    </header>
  );
}

function Bars({ error }: { error: string | undefined }) {
  const { mode, place = "", write, release } = state.value ?? {};
  return (
    <>
      {mode === "stage" && (
        <div class="bar stage">
          {shown(place)}: {write ? "changes take effect here" : "read-only; --write allows changes"}
        </div>
      )}
      {connection.value === "lost" && (
        <div class="bar fail" role="alert">
          Lost since {clock(new Date(lostSince.value).toISOString()).slice(0, 8)}, trying. What is shown may
          be old.
        </div>
      )}
      {error !== undefined && connection.value !== "lost" && (
        <div class="bar fail" role="alert">
          {shown(error)}
        </div>
      )}
      {release?.trouble && (
        <div class="bar fail" role="alert">
          Release {shown(release.trouble.version.slice(0, 8))}{" "}
          {release.trouble.result === "partly" ? "is live in part only" : "was refused"}:{" "}
          {shown(release.trouble.error)}. {shown(release.version.slice(0, 8))} stays live.
        </div>
      )}
    </>
  );
}

const SHORT: Partial<Record<Screen, string>> = { "dead-letters": "Dead" };

function Rail() {
  const { screen } = route.value;
  const { dead = 0 } = state.value?.counts ?? {};
  const screens: Screen[] = ["events", "sessions", "releases", "dead-letters", "overview"];
  if (state.value?.has.send) screens.push("send");
  return (
    <nav class="rail" aria-label="Screens">
      {screens.map((name) => (
        <a {...link({ screen: name })} class={name} aria-current={screen === name ? "page" : undefined}>
          <span>{SHORT[name] && isNarrow.matches ? SHORT[name] : NAMES[name]}</span>
          {name === "dead-letters" && dead > 0 && <span class="fail">☠ {count(dead)}</span>}
        </a>
      ))}
    </nav>
  );
}
const isNarrow = matchMedia("(max-width: 699px)");

function NoToken() {
  const [problem, setProblem] = useState("");
  function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).querySelector("input");
    if (!bringToken(field?.value ?? ""))
      setProblem("There is no token in it: the token is the part after #token=");
  }
  return (
    <main class="empty">
      <h1>gatehook</h1>
      <p>
        This page needs the link that <code>gatehook dev</code> has printed. Print it again with{" "}
        <code>npx gatehook console</code>, or paste it here:
      </p>
      <form onSubmit={onSubmit}>
        <label class="field">
          Link
          <input type="text" autocomplete="off" spellcheck={false} aria-describedby="link-problem" />
        </label>
        <div class="actions">
          <button type="submit" class="main-action">
            Open
          </button>
        </div>
      </form>
      <div id="link-problem">{problem && <Notice kind="fail">{problem}</Notice>}</div>
    </main>
  );
}

render(<App />, document.body);
