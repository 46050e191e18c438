import { findNodeAtLocation, parseTree } from "jsonc-parser";
import type { Definition } from "../apis/definition.ts";
import type { HandlerRef } from "../apis/handler-ref.ts";
import type { Problem, SourceFile } from "../releases/sources.ts";
import { editClassic, triggerLists } from "./classic.ts";
import { readNode } from "./edit.ts";
import type { AppFile, Gathered } from "./gather.ts";
import { attachOas, detachOas, oasEntries } from "./oas.ts";
import { attached, detached } from "./triggers.ts";
import { carriedBy, type Entry, isDisabled, kindOf, NAME, type Target } from "./webhook.ts";

/** The handlers of one event type of an API that run in gatehook. */
export interface Run {
  api: string;
  type: string;
  handlers: HandlerRef[];
}

/** An entry that still runs in the gateway. */
export interface Stay {
  api: string;
  type: string;
  kind: string;
}

/** The files that the gateway must load instead. */
export interface Patched {
  /** The files that send events to gatehook, by their names in the gateway's folder. */
  files: SourceFile[];
  runs: Run[];
  stays: Stay[];
}

/**
 * The gateway's files with webhooks in place of scripts. An API that would not go live is not changed, so that its
 * handlers still run in the gateway.
 */
export function patch({ apps }: Gathered, target: Target, isHeld: (api: Definition) => boolean): Patched {
  const moves = (definition: Definition) => definition.api !== undefined && !isHeld(definition);
  const classicOnes = new Set(
    apps
      .filter(({ isCompanion }) => !isCompanion)
      .flatMap(({ definitions }) => definitions.filter(moves).map(({ apiId }) => apiId)),
  );
  const change = (text: string, definition: Definition, isCompanion: boolean) => {
    if (isCompanion ? !classicOnes.has(definition.apiId) : !moves(definition)) return text;
    return definition.isOas
      ? attachOas(text, definition, target)
      : editClassic(text, definition, attached(target, definition.apiId));
  };
  const after = apps.map((file) => ({ file, text: changedText(file, change) }));
  const counting = after.filter(({ file }) => !file.isCompanion);
  // Includes files that are already correct, so that the result is the same for a gateway that is attached.
  const isAttached = (file: AppFile, text: string) => text !== file.text || detachedText(file) !== text;
  return {
    files: after.flatMap(({ file, text }) => (isAttached(file, text) ? { path: file.path, text } : [])),
    runs: counting.flatMap(({ file }) => file.definitions.filter(moves).flatMap(runsOf)),
    stays: counting.flatMap(({ file, text }) => file.definitions.flatMap((each) => staysIn(text, each))),
  };
}

/** The files that change when the webhooks are replaced by their scripts again. */
export const unpatch = ({ apps }: Gathered): SourceFile[] =>
  apps.flatMap((file) => {
    const text = detachedText(file);
    return text === file.text ? [] : [{ path: file.path, text }];
  });

const detachedText = (file: AppFile) =>
  changedText(file, (text, definition) =>
    definition.isOas ? detachOas(text, definition) : editClassic(text, definition, detached),
  );

/** The APIs that cannot go live because of a problem; all APIs if the problem does not name one. */
export const heldBy =
  (problems: Problem[]) =>
  ({ apiId }: Definition): boolean =>
    problems.some(({ apis }) => apis === undefined || apis.includes(apiId));

const changedText = (
  { whole, definitions, isCompanion }: AppFile,
  change: (text: string, definition: Definition, isCompanion: boolean) => string,
) => definitions.reduce((text, definition) => change(text, definition, isCompanion), whole);

const runsOf = ({ api, apiId }: Definition): Run[] =>
  Object.entries(api?.handlers ?? {}).map(([type, handlers]) => ({ api: apiId, type, handlers }));

function staysIn(text: string, definition: Definition): Stay[] {
  const { apiId, path, isOas } = definition;
  const stay = (type: string, kind: unknown): Stay => ({ api: apiId, type, kind: String(kind || "no kind") });
  if (isOas)
    return oasEntries(text, definition)
      .filter(({ enabled, type, name }) => enabled === true && !(type === "webhook" && name === NAME))
      .map(({ trigger = "", type }) => stay(trigger, type));
  const tree = parseTree(text);
  return triggerLists(tree && findNodeAtLocation(tree, path)).flatMap(([type, list]) =>
    readNode<(Entry | null)[]>(text, list)
      .filter((entry) => entry !== null && typeof entry === "object")
      .filter((entry) => !carriedBy(entry) && !isDisabled(entry))
      .map((entry) => stay(type, kindOf(entry))),
  );
}
