import { isDeepStrictEqual } from "node:util";
import { SCRIPT_KIND, WEBHOOK_KIND } from "../apis/classic.ts";
import {
  carriedBy,
  classicWebhook,
  type Entry,
  kindOf,
  metaOf,
  NAME,
  runsScript,
  type Target,
} from "./webhook.ts";

/** Changes the entries of one event type. */
export type Change = (entries: Entry[], type: string) => Entry[];

/**
 * Replaces all scripts of an event type by one webhook that lists them: with a webhook for each script, every event
 * would arrive several times, and each time all scripts would run.
 */
export const attached =
  (target: Target, apiId: string): Change =>
  (entries) => {
    const old = detached(entries);
    const scripts = old.filter(runsScript);
    const meta = classicWebhook(target, apiId, scripts.map(metaOf));
    const webhook = { handler_name: WEBHOOK_KIND, handler_meta: meta };
    // A second webhook, written by hand, would send every event twice.
    const isDoubled = (entry: Entry) =>
      kindOf(entry) === WEBHOOK_KIND && metaOf(entry).target_path === meta.target_path;
    const wanted = old.flatMap<Entry>((entry) => {
      if (entry === scripts[0]) return webhook;
      return runsScript(entry) || (scripts.length > 0 && isDoubled(entry)) ? [] : entry;
    });
    return settled(entries, wanted);
  };

/** Replaces the webhook by the scripts that it lists. */
export const detached = (entries: Entry[]): Entry[] =>
  entries.flatMap<Entry>(
    (entry) => carriedBy(entry)?.map((meta) => ({ handler_name: SCRIPT_KIND, handler_meta: meta })) ?? entry,
  );

/**
 * A gateway makes the classic definition from an OAS document, and gatehook's webhooks list no scripts there. They are
 * replaced by the scripts of the document. `carried`: by event type.
 */
export const restored =
  (carried: Map<string, Entry[]>): Change =>
  (entries, type) =>
    entries.map((entry) => {
      const handlers = carried.get(type);
      const meta = metaOf(entry);
      const isOurs = kindOf(entry) === WEBHOOK_KIND && meta.name === NAME && !carriedBy(entry);
      return isOurs && handlers ? { ...entry, handler_meta: { ...meta, gatehook: handlers } } : entry;
    });

/** Returns the entries unchanged if the wanted ones are equal. */
export const settled = <T>(before: T[], after: T[]): T[] =>
  isDeepStrictEqual(before, after) ? before : after;
