import { useEffect, useState } from "preact/hooks";
import type { EventPage, SessionList } from "./answers.ts";
import { get } from "./api.ts";
import { useLoaded } from "./parts.tsx";
import { go } from "./router.ts";
import { state } from "./state.ts";
import { clock, shown } from "./text.ts";

/** The existing values to choose from. */
export function useKeysOf(org: string | undefined): string[] {
  const [keys, setKeys] = useState<string[]>([]);
  useEffect(() => {
    if (!org || !state.value?.has.sessions) return;
    get<SessionList>(`/sessions?${new URLSearchParams({ org_id: org, limit: "50" })}`).then(
      ({ sessions }) => setKeys(sessions.map(({ key }) => key)),
      () => {}, // A list to choose from is not needed.
    );
  }, [org]);
  return keys;
}

const MOST = 10;

/** The newest events, as a start for a new one. */
export function Recent() {
  const { value } = useLoaded(
    (signal) =>
      state.value?.has.events
        ? get<EventPage>(
            `/events?${new URLSearchParams({ q: "-outcome:refused", limit: String(MOST) })}`,
            signal,
          )
        : Promise.resolve(undefined),
    [],
  );
  if (!value || value.events.length === 0) return null;
  function choose(at: string) {
    const row = value?.events[Number(at)];
    if (row) go({ screen: "send", query: { from: row.id, api: row.api_id } });
  }
  return (
    <label class="field">
      Recent
      <select value="" onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">start from one of these</option>
        {value.events.map(({ at, type, api_id, key }, index) => (
          <option value={String(index)}>
            {[clock(at).slice(0, 8), type, api_id, key].filter(Boolean).map(shown).join(" · ")}
          </option>
        ))}
      </select>
    </label>
  );
}
