import type { Types } from "./answers.ts";
import { ask, get } from "./api.ts";
import { Copy, Notice, useAction, useLoaded } from "./parts.tsx";
import { link } from "./router.ts";
import { state } from "./state.ts";
import { quoted, shown } from "./text.ts";

/** The content of a list without events. */
export function FirstEvent() {
  const { url = "", has } = state.value ?? {};
  if (!has?.send)
    return (
      <div class="empty">
        <p>No event is recorded.</p>
      </div>
    );
  return <HowToSend url={url} />;
}

function HowToSend({ url }: { url: string }) {
  const { value } = useLoaded((signal) => get<Types>("/types", signal), []);
  const { busy, problem, run } = useAction();
  const type = value?.types.find(({ handlers }) => handlers.length > 0);
  const [handler] = type?.handlers ?? [];
  if (!value) return null;
  if (!type || !handler)
    return (
      <div class="empty">
        <h2>No event yet, and no handler for one</h2>
        <p>
          Save a definition in <code>apis/</code> and a script in <code>handlers/</code>: its events are shown
          here.
        </p>
      </div>
    );
  const { sample } = type;
  const { Message, Key } = sample.Meta;
  const event = { event: { Type: sample.Type, Meta: { Message, Key } } };
  const address = `${url}/events/${encodeURIComponent(handler.api_id)}`;
  const curl = `curl ${quoted(address)} -d ${quoted(JSON.stringify(event))}`;
  const send = () =>
    run(async () => {
      await ask("POST", "/events", { body: { events: [{ api_id: handler.api_id, event: sample }] } });
    });
  return (
    <div class="empty">
      <h2>No event yet</h2>
      <p>Send the first one:</p>
      <p class="actions">
        <button type="button" class="main-action" disabled={busy} onClick={send}>
          Send a {shown(type.type)}
        </button>
        <a {...link({ screen: "send" })}>another type</a>
      </p>
      {problem && <Notice kind="fail">{shown(problem)}</Notice>}
      <p>Or from a terminal:</p>
      <pre>{shown(curl)}</pre>
      <Copy text={curl} what="curl" />
      <h3>From your gateway</h3>
      <p>
        Give the event a webhook in the API's definition, with the <code>target_path</code>{" "}
        <code>{shown(address)}</code> and the <code>method</code> <code>POST</code>.{" "}
        <code>npx gatehook attach</code> writes it for you.
      </p>
    </div>
  );
}
