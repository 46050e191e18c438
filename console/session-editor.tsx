import { useState } from "preact/hooks";
import type { Compared } from "./answers.ts";
import { ask, RequestError, request } from "./api.ts";
import { Copy, Dialog, Key, Notice, parsed, useAction } from "./parts.tsx";
import { pathOf, pretty, type Read, read } from "./session-text.ts";
import { mayWrite, tell } from "./state.ts";
import { endText, HOUR, unixNow as now, quoted, shown, valueText } from "./text.ts";

/** A session as JSON, saved over the version that was read. */
export function Editor({
  id,
  read: before,
  reload,
  onClose,
}: {
  id: string;
  read: Read;
  reload: () => void;
  onClose: () => void;
}) {
  const [text, setText] = useState(before.text);
  const [error, setError] = useState<RequestError | undefined>(undefined);
  const [theirs, setTheirs] = useState<(Compared & { etag: string }) | undefined>(undefined);
  const [isDeleting, setDeleting] = useState(false);
  const { busy, problem, run } = useAction();
  const value = parsed(text);
  const members =
    typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  const isChanged = text !== before.text;

  const save = (body = text, etag = before.etag) =>
    run(async () => {
      setError(undefined);
      try {
        await request("PUT", `${pathOf(id)}?suppress_reset=1`, { text: body, headers: { "if-match": etag } });
        setTheirs(undefined);
        tell("saved");
        reload();
      } catch (thrown) {
        if (!(thrown instanceof RequestError)) throw thrown;
        if (thrown.status !== 412) return setError(thrown);
        await compareWith(body);
      }
    });

  async function compareWith(mine: string) {
    const other = await read(id);
    const body = { base: parsed(before.text), mine: parsed(mine), theirs: parsed(other.text) };
    setTheirs({ ...(await ask<Compared>("POST", "/sessions/compare", { body })), etag: other.etag });
  }

  const put = (expires: number) => members && setText(pretty({ ...members, expires }));
  function onKeyDown(event: KeyboardEvent) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (isChanged && mayWrite()) save();
  }
  const access = before.text === "" ? "" : endText(members?.expires);
  return (
    <>
      <p>
        {access}{" "}
        {mayWrite() && members && (
          <>
            <button type="button" onClick={() => put(Math.max(now(), Number(members.expires) || 0) + HOUR)}>
              +1 h
            </button>{" "}
            <button type="button" onClick={() => put(0)}>
              never
            </button>
          </>
        )}
      </p>
      <label class="field">
        JSON
        <textarea
          rows={Math.min(24, text.split("\n").length + 1)}
          value={text}
          readOnly={!mayWrite()}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          spellcheck={false}
          aria-invalid={error !== undefined || members === undefined}
          aria-describedby="session-problem"
        />
      </label>
      <div id="session-problem">
        {members === undefined && <p class="fail">✗ this is not a JSON object</p>}
        {error && <Notice kind="fail">✗ {shown(error.message)}</Notice>}
        {problem && <Notice kind="fail">{shown(problem)}</Notice>}
      </div>
      <div class="actions">
        <button
          type="button"
          class="main-action"
          disabled={!isChanged || busy || !mayWrite() || members === undefined}
          onClick={() => save()}
        >
          Save
          <Key of="Ctrl Enter" />
        </button>
        <button type="button" disabled={!isChanged} onClick={() => setText(before.text)}>
          Undo
        </button>
        <button type="button" class="harm" disabled={!mayWrite()} onClick={() => setDeleting(true)}>
          Delete…
        </button>
        <Copy text={`npx gatehook sessions edit ${quoted(id)}`} />
      </div>
      {theirs && (
        <ThreeWay
          of={theirs}
          busy={busy}
          onTake={() => save(pretty(theirs.merged), theirs.etag)}
          onTheirs={reload}
        />
      )}
      {isDeleting && (
        <Delete id={id} etag={before.etag} onClose={() => setDeleting(false)} onDone={onClose} />
      )}
    </>
  );
}

function ThreeWay({
  of,
  busy,
  onTake,
  onTheirs,
}: {
  of: Compared;
  busy: boolean;
  onTake: () => void;
  onTheirs: () => void;
}) {
  const hasConflict = of.changes.some(({ conflict }) => conflict);
  return (
    <section>
      <Notice kind="fail">Somebody has changed this session since you read it.</Notice>
      <div class="scroll">
        <table>
          <caption>What both have changed</caption>
          <thead>
            <tr>
              <th scope="col">member</th>
              <th scope="col">before</th>
              <th scope="col">yours</th>
              <th scope="col">theirs</th>
            </tr>
          </thead>
          <tbody>
            {of.changes.map(({ name, base, mine, theirs, conflict }) => (
              <tr>
                <th scope="row">
                  {shown(name)}
                  {conflict && <span class="fail"> ✗ both</span>}
                </th>
                <td>{valueText(base)}</td>
                <td>{valueText(mine)}</td>
                <td>{valueText(theirs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="actions">
        <button type="button" disabled={busy} onClick={onTake}>
          Save yours on theirs{hasConflict ? ", yours where both changed" : ""}
        </button>
        <button type="button" onClick={onTheirs}>
          Take theirs
        </button>
      </div>
    </section>
  );
}

function Delete({
  id,
  etag,
  onClose,
  onDone,
}: {
  id: string;
  etag: string;
  onClose: () => void;
  onDone: () => void;
}) {
  const { busy, problem, run } = useAction();
  function remove(event: SubmitEvent) {
    event.preventDefault();
    run(async () => {
      await request("DELETE", pathOf(id), { headers: { "if-match": etag } });
      tell("deleted");
      onClose();
      onDone();
    });
  }
  return (
    <Dialog title={`Delete the session of ${shown(id)}?`} onClose={onClose}>
      <form onSubmit={remove}>
        <p>It cannot be restored.</p>
        {problem && <Notice kind="fail">{shown(problem)}</Notice>}
        <div class="actions">
          <button type="button" onClick={onClose} autofocus>
            Keep it
          </button>
          <button type="submit" class="harm" disabled={busy}>
            Delete
          </button>
        </div>
      </form>
    </Dialog>
  );
}
