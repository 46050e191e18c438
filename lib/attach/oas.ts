import { applyEdits, findNodeAtLocation, modify, type Node, parseTree } from "jsonc-parser";
import type { Definition } from "../apis/definition.ts";
import { CUSTOM_TYPE, OAS_EXTENSION, OWN_EXTENSION, WEBHOOK_TYPE } from "../apis/oas.ts";
import { edited, formattingOf, listEdits, membersNamed, readNode } from "./edit.ts";
import { settled } from "./triggers.ts";
import { type Entry, NAME, oasWebhook, type Target } from "./webhook.ts";

/** One entry of `eventHandlers`, as in the document. */
export interface OasEntry {
  enabled?: unknown;
  trigger?: string;
  type?: unknown;
  name?: unknown;
  functionName?: unknown;
  path?: unknown;
  url?: unknown;
}

type Place = Pick<Definition, "path" | "apiId">;

const runsScript = ({ enabled, type }: OasEntry) => enabled === true && type === CUSTOM_TYPE;

/**
 * Adds one webhook for each event type that has scripts. The scripts move to gatehook's extension, which the gateway
 * keeps.
 */
export function attachOas(text: string, place: Place, target: Target): string {
  const document = documentIn(text, place);
  const carried = carriedBy(text, document);
  let scripts: OasEntry[] = [];
  const patched = editHandlers(text, document, (entries) => {
    const old = withoutWebhooks(entries, carried);
    const byTrigger = Map.groupBy(old.filter(runsScript), ({ trigger = "" }) => trigger);
    scripts = [...byTrigger.values()].flat();
    const wanted = old.flatMap((entry) => {
      const { trigger = "" } = entry;
      const [first] = byTrigger.get(trigger) ?? [];
      const webhook = oasWebhook(target, place.apiId, trigger);
      if (entry === first) return webhook;
      // A second webhook, written by hand, would send every event twice.
      const isDoubled = first !== undefined && entry.type === WEBHOOK_TYPE && entry.url === webhook.url;
      return isDoubled || runsScript(entry) ? [] : entry;
    });
    return settled(entries, wanted);
  });
  return withCarried(patched, place, carried, scripts);
}

/** Restores the document as it was before `attachOas`. */
export function detachOas(text: string, place: Place): string {
  const document = documentIn(text, place);
  const carried = carriedBy(text, document);
  const old = editHandlers(text, document, (entries) => settled(entries, withoutWebhooks(entries, carried)));
  return withCarried(old, place, carried, []);
}

/** The scripts in a document's extension, by event type, as the gateway writes them in the classic format. */
export function carriedScripts(text: string): Map<string, Entry[]> {
  const scripts = carriedBy(text, documentIn(text, { path: [] })).filter(runsScript);
  const byTrigger = Map.groupBy(scripts, ({ trigger = "" }) => trigger);
  const asMeta = ({ functionName: name, path }: OasEntry) => ({ disabled: false, id: "", name, path });
  return new Map([...byTrigger].map(([type, entries]) => [type, entries.map(asMeta)]));
}

/** The handlers of a document that the gateway sees. */
export const oasEntries = (text: string, place: Pick<Definition, "path">): OasEntry[] =>
  handlerLists(documentIn(text, place)).flatMap((list) => readNode<OasEntry[]>(text, list));

function documentIn(text: string, { path }: Pick<Definition, "path">): Node | undefined {
  const tree = parseTree(text);
  return tree && findNodeAtLocation(tree, path);
}

const handlerLists = (document: Node | undefined): Node[] =>
  (document ? [findNodeAtLocation(document, [OAS_EXTENSION])] : [])
    .flatMap((extension) => membersNamed(extension, "server"))
    .flatMap((server) => membersNamed(server, "eventHandlers"))
    .filter(({ type }) => type === "array");

const editHandlers = (
  text: string,
  document: Node | undefined,
  change: (entries: OasEntry[]) => OasEntry[],
) =>
  edited(
    text,
    handlerLists(document).flatMap((list) => listEdits(text, list, change)),
  );

function carriedBy(text: string, document: Node | undefined): OasEntry[] {
  const own = document && findNodeAtLocation(document, [OWN_EXTENSION, "eventHandlers"]);
  return own?.type === "array" ? readNode<OasEntry[]>(text, own) : [];
}

/** Replaces gatehook's webhook of each event type by the scripts of that type that were carried for it. */
function withoutWebhooks(entries: OasEntry[], carried: OasEntry[]): OasEntry[] {
  const left = Map.groupBy(carried, ({ trigger = "" }) => trigger);
  return entries.flatMap((entry) => {
    const { type, name, enabled, trigger = "" } = entry;
    const scripts = left.get(trigger);
    if (!scripts || type !== WEBHOOK_TYPE || name !== NAME || enabled !== true) return entry;
    left.delete(trigger);
    return scripts;
  });
}

function withCarried(text: string, { path }: Place, before: OasEntry[], after: OasEntry[]): string {
  if (settled(before, after) === before) return text;
  const value = after.length > 0 ? { eventHandlers: after } : undefined;
  const formattingOptions = formattingOf(text);
  return applyEdits(
    text,
    modify(text, [...path, OWN_EXTENSION], value, formattingOptions ? { formattingOptions } : {}),
  );
}
