import { createHash } from "node:crypto";
import type { Api } from "../apis/definition.ts";
import type { HandlerRef } from "../apis/handler-ref.ts";
import { createNearest, type Nearest } from "../apis/nearest.ts";
import type { Script } from "../runtime/protocol.ts";
import type { OwnHandler } from "../webhooks/own-handlers.ts";

/** An API, and the uploaded file that defined it, which releases of earlier versions do not have. */
export type ReleasedApi = Api & { file?: string };

/** An immutable set of API definitions and scripts; stored as releases/<version>.json. */
export interface Release {
  format: 1;
  apis: ReleasedApi[];
  /** In the order in which they are loaded into the global environment, each file once. */
  scripts: Script[];
  /** The templates of webhooks, by their paths in templates/; missing if there are none. */
  templates?: TemplateText[];
}

/** A template of webhooks; `path` is relative to `templates/`. */
export interface TemplateText {
  path: string;
  text: string;
}

/**
 * The stored text, and its version: the same content has the same version. Content with errors has a version too, which
 * differs from that of its valid part.
 */
export function sealRelease(release: Release, faults: unknown[] = []): { version: string; text: string } {
  const text = JSON.stringify(release);
  return { version: versionOf(faults.length > 0 ? text + JSON.stringify(faults) : text), text };
}

/** The version of a stored text: 16 hex digits of its SHA-256. */
export const versionOf = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** A release as the consumer and ingest use it. */
export interface LiveRelease {
  version: string;
  apis: Api[];
  scripts: Script[];
  api(apiId: string): Api | undefined;
  /** The API with the most similar id, for "did you mean"; undefined if none is similar. */
  nearestApi(apiId: string): string | undefined;
  /** The handlers for an event of this type, in the order in which they run. */
  handlers(apiId: string, type: string): HandlerRef[];
  /** The webhooks and log handlers that gatehook runs for such an event. */
  own(apiId: string, type: string): OwnHandler[];
  /** Whether it has a handler with `coalesce`. */
  coalesces: boolean;
  /** The text of a webhook's template. */
  template(path: string): string | undefined;
}

/** Indexes a release for look-ups; `version` is not checked. */
export function openRelease(version: string, release: Release): LiveRelease {
  const apis = new Map(release.apis.map((api) => [api.api_id, api]));
  const texts = new Map(release.templates?.map(({ path, text }) => [path, text]));
  let nearest: Nearest | undefined;
  return {
    version,
    apis: release.apis,
    scripts: release.scripts,
    api: (apiId) => apis.get(apiId),
    nearestApi(apiId) {
      nearest ??= createNearest(apis.keys());
      return nearest(apiId);
    },
    handlers: (apiId, type) => ofType(apis.get(apiId)?.handlers, type),
    own: (apiId, type) => ofType(apis.get(apiId)?.own, type),
    coalesces: release.apis.some(({ handlers, own = {} }) =>
      [...Object.values(handlers), ...Object.values(own)].flat().some(({ coalesce }) => coalesce),
    ),
    template: (path) => texts.get(path),
  };
}

/** An event type may be called __proto__. */
const ofType = <T>(lists: Record<string, T[]> | undefined, type: string): T[] =>
  lists && Object.hasOwn(lists, type) ? (lists[type] ?? []) : [];
