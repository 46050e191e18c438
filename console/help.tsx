import { editor } from "./editor.ts";
import { allKeys, areOn, switchKeys } from "./keys.ts";
import { Dialog } from "./parts.tsx";

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Help" onClose={onClose}>
      <h3>Keys</h3>
      <ul class="keys">
        {allKeys().map(([key, does]) => (
          <li>
            {key.split(" ").map((each) => (
              <kbd>{each}</kbd>
            ))}{" "}
            {does}
          </li>
        ))}
      </ul>
      <p>
        <label>
          <input
            type="checkbox"
            checked={areOn.value}
            onChange={(event) => switchKeys(event.currentTarget.checked)}
          />{" "}
          single keys are on
        </label>
      </p>
      <h3>Search</h3>
      <p>
        <code>type: api: org: key: handler: release: outcome: reason: source:</code>, <code>since:1h</code>,{" "}
        <code>until:</code>, <code>took:&gt;500ms</code>, <code>attempt:&gt;1</code>, <code>"a text"</code>;{" "}
        <code>-</code> in front negates.
      </p>
      <p>
        <label class="field">
          Editor that links to source lines open
          <select value={editor.chosen} onChange={(event) => editor.choose(event.currentTarget.value)}>
            {editor.names.map((name) => (
              <option value={name}>{name}</option>
            ))}
          </select>
        </label>
      </p>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </Dialog>
  );
}
