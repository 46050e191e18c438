import { findNodeAtLocation, type Node, parseTree } from "jsonc-parser";
import type { Definition } from "../apis/definition.ts";
import { edited, listEdits, membersNamed, membersOf } from "./edit.ts";
import type { Change } from "./triggers.ts";
import type { Entry } from "./webhook.ts";

/** The file with the entries of one of its classic definitions changed, and nothing else. */
export function editClassic(text: string, { path }: Pick<Definition, "path">, change: Change): string {
  const tree = parseTree(text);
  const lists = triggerLists(tree && findNodeAtLocation(tree, path));
  return edited(
    text,
    lists.flatMap(([type, list]) => listEdits<Entry>(text, list, (entries) => change(entries, type))),
  );
}

/** Each list of entries with its event type, including those of duplicate members, which the gateway merges. */
export const triggerLists = (definition: Node | undefined): [type: string, list: Node][] =>
  membersNamed(definition, "event_handlers")
    .flatMap((holder) => membersNamed(holder, "events"))
    .flatMap((events) => membersOf(events))
    .filter(([, list]) => list.type === "array");
