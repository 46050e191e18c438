import { useEffect, useState } from "preact/hooks";
import { messageOf, RequestError, request } from "./api.ts";
import { isMembers, Notice, parsed } from "./parts.tsx";
import { pathOf, pretty, read } from "./session-text.ts";
import { quoted, shown } from "./text.ts";

/** The wanted session of a key before an event is sent, and its session when it was read; "" if there was none. */
export interface Before {
  key: string;
  text: string;
  was: string;
  etag: string;
}

/** "reading": nothing can be sent until the session is read. */
export type Wanted = Before | "reading" | undefined;

/** For a key without a session: one that gives access only to the event's API. */
const fresh = (org: string, api: string) =>
  pretty({ org_id: org, rate: 100, per: 60, expires: 0, access_rights: { [api]: { api_id: api } } });

const isChanged = (before: Wanted): before is Before =>
  before !== undefined && before !== "reading" && before.text !== before.was;

/** Fails if the session was changed since it was read. */
export async function putBefore(before: Wanted): Promise<void> {
  if (!isChanged(before)) return;
  const { key, text, etag } = before;
  const headers: Record<string, string> = etag === "" ? { "if-none-match": "*" } : { "if-match": etag };
  try {
    await request("PUT", `${pathOf(key)}?suppress_reset=1`, { text, headers });
  } catch (thrown) {
    if (!(thrown instanceof RequestError)) throw thrown;
    const why =
      thrown.status === 412
        ? "somebody has changed it in the meantime: untick it, and tick it again"
        : thrown.message;
    throw new Error(`nothing was sent. The session of ${key}: ${why}`);
  }
}

/** The command that stores the session, to be put before the command that sends the event. */
export const commandBefore = (before: Wanted) =>
  !isChanged(before)
    ? ""
    : `printf %s ${quoted(before.text)} | npx gatehook sessions put ${quoted(before.key)} - --suppress-reset && `;

/** `name`: the key of the event, "" if it has none. */
export function SessionBefore({
  name,
  org,
  api,
  value,
  onChange,
}: {
  name: string;
  org: string;
  api: string;
  value: Wanted;
  onChange: (value: Wanted) => void;
}) {
  const [isOn, setOn] = useState(false);
  const [problem, setProblem] = useState("");
  const isWanted = isOn && name !== "";
  useEffect(() => {
    onChange(isWanted ? "reading" : undefined);
    setProblem("");
    if (!isWanted) return;
    const stop = new AbortController();
    const timer = setTimeout(
      () =>
        read(name, stop.signal).then(
          ({ text, etag }) => onChange({ key: name, text, was: text, etag }),
          (thrown: unknown) => {
            if (stop.signal.aborted) return;
            if (thrown instanceof RequestError && thrown.status === 404)
              onChange({ key: name, text: fresh(org, api), was: "", etag: "" });
            else setProblem(messageOf(thrown));
          },
        ),
      TYPED_MS,
    );
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [isWanted, name]);

  const before = value === "reading" ? undefined : value;
  const isObject = isMembers(parsed(before?.text ?? ""));
  return (
    <div class="fields">
      <label>
        <input
          type="checkbox"
          checked={isWanted}
          disabled={name === ""}
          onChange={(event) => setOn(event.currentTarget.checked)}
        />{" "}
        store this session first
        {name === "" && <span class="muted"> (only for a single event with a key)</span>}
      </label>
      {before && (
        <label class="field wide">
          The session of {shown(before.key)} before the event
          {before.was === "" ? ": it is not there yet" : ""}
          <textarea
            rows={8}
            value={before.text}
            onInput={(event) => onChange({ ...before, text: event.currentTarget.value })}
            spellcheck={false}
            aria-invalid={!isObject}
          />
        </label>
      )}
      {before && !isObject && <p class="fail">✗ this is not a JSON object</p>}
      {problem && <Notice kind="fail">{shown(problem)}</Notice>}
    </div>
  );
}

/** A key is read when the user stops typing. */
const TYPED_MS = 150;
