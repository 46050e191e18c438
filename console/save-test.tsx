import { useState } from "preact/hooks";
import type { ShownAttempt, WholeEvent } from "./answers.ts";
import { ask } from "./api.ts";
import { Copy, Dialog, Key, Notice, useAction } from "./parts.tsx";
import { tell } from "./state.ts";
import { countOf, quoted, shown } from "./text.ts";

const HTTP: ReadonlySet<string> = new Set(["makeHttpRequest", "batchRequest"]);

/** Writes a test file, after showing its content. */
export function SaveTest({
  event: { row },
  attempt,
  nth,
  onClose,
}: {
  event: WholeEvent;
  attempt: ShownAttempt;
  /** The number of the recorded attempt, if it is not the last one. */
  nth: number | undefined;
  onClose: () => void;
}) {
  const [name, setName] = useState(`${attempt.event.Type}-${attempt.outcome}`.replaceAll(/[^\w.-]/g, "-"));
  const { busy, problem, run } = useAction();
  const keys = new Set(
    attempt.runs.flatMap(({ calls, writes }) => [
      ...calls.flatMap((call) => (call.name === "getKeyData" ? (call.args[0] ?? "") : [])),
      ...writes.map(({ key }) => key),
    ]),
  );
  const answers = attempt.runs.flatMap(({ calls }) => calls).filter((call) => HTTP.has(call.name)).length;
  const folder = attempt.runs[0]?.handler ?? attempt.event.Type;
  const command = [
    `npx gatehook events save ${quoted(row.id)} ${quoted(`tests/${folder}/${name}.json`)} --api ${quoted(row.api_id)}`,
    ...(nth === undefined ? [] : [`--attempt ${nth}`]),
  ].join(" ");
  function save(event: SubmitEvent) {
    event.preventDefault();
    run(async () => {
      const { path } = await ask<{ path: string }>("POST", "/tests", {
        body: { event: row.id, api: row.api_id, name, attempt: nth },
      });
      tell(`saved: ${path}`);
      onClose();
    });
  }
  return (
    <Dialog title="Save as a test" onClose={onClose}>
      <form onSubmit={save}>
        <p>
          The file has the event, what its handlers read, the responses they got, and the result. Unchanged in
          it: {countOf(keys.size, "key")} with sessions, {countOf(answers, "response")} of other hosts. Look
          at it before you commit it.
        </p>
        <label class="field">
          Name, below tests/{shown(folder)}/
          <input
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
            autofocus
            required
            spellcheck={false}
          />
        </label>
        {problem && <Notice kind="fail">{shown(problem)}</Notice>}
        <div class="actions">
          <button type="submit" class="main-action" disabled={busy}>
            Save
            <Key of="Enter" />
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <Copy text={command} />
        </div>
      </form>
    </Dialog>
  );
}
