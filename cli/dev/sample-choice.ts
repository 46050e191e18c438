import { type Api, handledTypes } from "../../lib/apis/definition.ts";
import { createNearest } from "../../lib/apis/nearest.ts";
import { buildRelease } from "../../lib/releases/build.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import { UsageError } from "../terminal/usage.ts";

/** An API and a type of event that it has a handler for. */
export interface Handled {
  api: Api;
  type: string;
}

/** The requested sample event; missing members are free. */
export interface Asked {
  api?: string;
  event?: string;
}

/** Every type of event that an API of these files has a handler for, in the order of the release. */
export function handledIn(files: SourceFile[]): Handled[] {
  return buildRelease(files).apis.flatMap(({ api }) => handledTypes(api).map((type) => ({ api, type })));
}

/**
 * The first one that matches. Undefined if no API has a handler and nothing was requested; throws UsageError if the
 * requested one does not exist.
 */
export function chooseSample(handled: Handled[], { api, event }: Asked): Handled | undefined {
  const ofApi = handled.filter((one) => api === undefined || one.api.api_id === api);
  const found = ofApi.find(({ type }) => event === undefined || type === event);
  if (found || (api === undefined && event === undefined)) return found;
  if (ofApi.length === 0) {
    const ids = handled.map((one) => one.api.api_id);
    throw new UsageError(
      api === undefined
        ? `no API here has a handler, so there is none for ${event}`
        : `no API ${api} here has a handler${among("those that have one", api, ids)}`,
    );
  }
  const types = ofApi.map(({ type }) => type);
  const who = api === undefined ? "no API here has a handler" : `API ${api} has no handler`;
  throw new UsageError(`${who} for ${event}${among("there are handlers for", event ?? "", types)}`);
}

const SHOWN = 8;

/** `; <what>: a, b and 3 more (did you mean b?)` */
function among(what: string, written: string, all: string[]): string {
  const names = [...new Set(all)];
  if (names.length === 0) return "";
  const near = createNearest(names)(written);
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return `; ${what}: ${names.slice(0, SHOWN).join(", ")}${more}${near ? ` (did you mean ${near}?)` : ""}`;
}
