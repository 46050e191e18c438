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

/** What is made of the entries of one event type. */
export type Change = (entries: Entry[], type: string) => Entry[];

/**
 * One webhook in place of all scripts of an event type, which carries them: a webhook each would bring every event as
 * often, and each time all of them would run.
 */
export const attached =
  (target: Target, apiId: string): Change =>
  (entries) => {
    const old = detached(entries);
    const scripts = old.filter(runsScript);
    const meta = classicWebhook(target, apiId, scripts.map(metaOf));
    const webhook = { handler_name: WEBHOOK_KIND, handler_meta: meta };
    // One that was written by hand would bring every event twice.
    const isDoubled = (entry: Entry) =>
      kindOf(entry) === WEBHOOK_KIND && metaOf(entry).target_path === meta.target_path;
    const wanted = old.flatMap<Entry>((entry) => {
      if (entry === scripts[0]) return webhook;
      return runsScript(entry) || (scripts.length > 0 && isDoubled(entry)) ? [] : entry;
    });
    return settled(entries, wanted);
  };

/** The scripts in place of the webhook that carries them. */
export const detached = (entries: Entry[]): Entry[] =>
  entries.flatMap<Entry>(
    (entry) => carriedBy(entry)?.map((meta) => ({ handler_name: SCRIPT_KIND, handler_meta: meta })) ?? entry,
  );

/**
 * A gateway that is given an OAS document makes the classic definition from it, and there our webhooks carry nothing:
 * they get back what the document says. `carried`: by event type.
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

/** The entries as they are, where the wanted ones say the same. */
export const settled = <T>(before: T[], after: T[]): T[] =>
  isDeepStrictEqual(before, after) ? before : after;
