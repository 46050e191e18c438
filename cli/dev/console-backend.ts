import { resolve, sep } from "node:path";
import type { Frame, State } from "../../console/answers.ts";
import { EVENT_TYPES } from "../../lib/apis/event-types.ts";
import { AppError } from "../../lib/errors.ts";
import { buildRelease } from "../../lib/releases/build.ts";
import type { Release } from "../../lib/releases/release.ts";
import { type SourceFile, scriptFile } from "../../lib/releases/sources.ts";
import type { ReleaseStore } from "../../lib/releases/store.ts";
import { type SessionsReply, type SessionsRequest, WRITER_HEADER } from "../../lib/sessions/api.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../../lib/settings/function-settings.ts";
import { type Folders, placeIn } from "../../lib/settings/project.ts";
import type { Sender, Sessions } from "../../local/console/backend.ts";
import { postEvent } from "../post-event.ts";
import { gatewayTime, sampleMeta } from "./sample-meta.ts";

// The parts of the console's backend, built from the modules of the commands.

/** The settings without secrets. */
export function shownSettings(env: Record<string, string | undefined>): State["settings"] {
  const settings: Record<string, FunctionSetting> = FUNCTION_SETTINGS;
  const shown = Object.entries(settings).flatMap(([name, setting]) => {
    const isSecret = setting.kind === "secret" || ("secret" in setting && setting.secret);
    const value = env[name];
    return value === undefined || isSecret || /(?:SECRET|SECRETS|TOKEN|KEY)$/.test(name)
      ? []
      : [[name, value]];
  });
  return Object.fromEntries(shown);
}

/** Event types with samples for the APIs of these files, sent to the ingest at this URL. */
export function createSender(url: string, files: () => SourceFile[]): Sender {
  return {
    send: (event) => postEvent(url, event),
    async types(named, key) {
      const apis = buildRelease(files()).apis.map(({ api }) => api);
      const api = apis.find(({ api_id }) => api_id === named) ?? apis[0];
      const apiId = named ?? api?.api_id ?? "demo";
      const whom = { apiId, orgId: api?.org_id ?? "", key: key ?? `${apiId}-key` };
      const own = apis.flatMap(({ handlers }) => Object.keys(handlers));
      const types = [...new Set([...EVENT_TYPES, ...own])].map((type) => ({
        type,
        handlers: apis.flatMap(({ api_id, handlers }) =>
          (handlers[type] ?? []).map(({ name }) => ({ api_id, name })),
        ),
        sample: { Type: type, Meta: sampleMeta(type, whom), TimeStamp: gatewayTime(new Date()) },
      }));
      return { apis: apis.map(({ api_id, org_id, name }) => ({ api_id, org_id, name })), types };
    },
  };
}

/** The sessions function behind the HTTP API of a local stack. */
export function sessionsAt(url: string): Sessions {
  return async ({
    route,
    key,
    query,
    ifMatch,
    ifNoneMatch,
    body,
    changedBy,
  }: SessionsRequest): Promise<SessionsReply> => {
    const [method = "GET"] = route.split(" ");
    const path = key === "" ? "/sessions" : `/sessions/${key.split("/").map(encodeURIComponent).join("/")}`;
    const answer = await fetch(`${url}${path}?${new URLSearchParams(query)}`, {
      method,
      headers: {
        ...(changedBy.by && { [WRITER_HEADER]: changedBy.by }),
        ...(ifMatch !== undefined && { "if-match": ifMatch }),
        ...(ifNoneMatch !== undefined && { "if-none-match": ifNoneMatch }),
      },
      body: method === "PUT" ? body : null,
    });
    const etag = answer.headers.get("etag");
    return { status: answer.status, body: await answer.text(), ...(etag !== null && { headers: { etag } }) };
  };
}

const KEPT = 8;
const AROUND = 2;

/** The folder of the scripts. */
export interface OnThisMachine {
  dir: string;
  folders: Folders;
}

/** The place where a run failed: the first one of its stack that is in the release. */
export function createFrames(store: Pick<ReleaseStore, "read">, place: OnThisMachine | undefined) {
  const kept = new Map<string, Promise<Release | undefined>>();

  function read(version: string): Promise<Release | undefined> {
    const known = kept.get(version);
    if (known !== undefined) return known;
    const found = store.read(version).catch((thrown: unknown) => {
      if (thrown instanceof AppError) return undefined;
      throw thrown;
    });
    kept.set(version, found);
    for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
    return found;
  }

  return async (error: string, version: string | undefined): Promise<Frame | null> => {
    const scripts = (version && (await read(version))?.scripts) || [];
    for (const [, path, line, column] of error.matchAll(/^\s+at .*?\(?([^\s()]+):(\d+):(\d+)\)?$/gm)) {
      const script = scripts.find((each) => each.path === path);
      if (!script) continue;
      const at = Number(line);
      const lines = script.source
        .split("\n")
        .map((text, index) => ({ number: index + 1, text: text.slice(0, 200) }))
        .slice(Math.max(0, at - 1 - AROUND), at + AROUND);
      const file = place ? fileOf(place, script.path) : "";
      return { path: script.path, line: at, column: Number(column), lines, file };
    }
    return null;
  };
}

/** Never a path outside the folder, whatever a definition contains. */
function fileOf({ dir, folders }: OnThisMachine, path: string): string {
  const file = resolve(dir, placeIn(folders, scriptFile(path)));
  return file.startsWith(`${resolve(dir)}${sep}`) ? file : "";
}
