import { readFileSync } from "node:fs";
import type { SourceFile } from "../../lib/releases/sources.ts";
import type { Session } from "../../lib/sessions/session.ts";

const EDITOR = "handlers/session-editor.js";

/** A definition whose expired keys are given to one handler. */
export const definition = (apiId: string, handler: string, path: string): SourceFile => ({
  path: `apis/${apiId}.json`,
  text: JSON.stringify({
    api_id: apiId,
    name: apiId,
    org_id: "demo-org",
    event_handlers: {
      events: {
        KeyExpired: [{ handler_name: "eh_dynamic_handler", handler_meta: { name: handler, path } }],
      },
    },
  }),
});

/** Changes no attribute of an index, since an alias or an expiry seldom changes. */
const TOUCH = `var touch = new TykJS.TykEventHandlers.NewEventHandler({});
touch.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  session.quota_remaining = session.quota_remaining - 1;
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
});
`;

/** The repository's session editor for the keys of the API `demo`; `touch` for those of the API with this name. */
export const EDITOR_RELEASE: SourceFile[] = [
  definition("demo", "sessionEditor", "session-editor.js"),
  definition("touch", "touch", "touch.js"),
  { path: "handlers/touch.js", text: TOUCH },
  { path: EDITOR, text: readFileSync(new URL(`../../${EDITOR}`, import.meta.url), "utf8") },
];

/** Reads its session and writes none. */
const LOOK = `var look = new TykJS.TykEventHandlers.NewEventHandler({});
look.NewHandler(function (event, context) {
  TykGetKeyData(event.Meta.Key, context.APIID);
});
`;

/** An API whose events have no handler. */
export const COST_RELEASE: SourceFile[] = [
  ...EDITOR_RELEASE,
  definition("look", "look", "look.js"),
  { path: "handlers/look.js", text: LOOK },
  {
    path: "apis/unhandled.json",
    text: JSON.stringify({ api_id: "unhandled", name: "unhandled", org_id: "demo-org" }),
  },
];

const RIGHTS = { demo: { api_name: "Demo", api_id: "demo", versions: ["Default"] } };
const QUOTA = {
  quota_max: 1_000,
  quota_renews: 1_795_445_195,
  quota_remaining: 900,
  quota_renewal_rate: 3_600,
};

const SMALL = {
  rate: 100,
  per: 60,
  expires: 1_795_445_195,
  ...QUOTA,
  access_rights: RIGHTS,
  org_id: "demo-org",
};

const LARGE = {
  ...SMALL,
  access_rights: Object.fromEntries(
    Array.from({ length: 8 }, (_, nth) => [
      `api${nth}`,
      {
        api_name: `API number ${nth}`,
        api_id: `api${nth}`,
        versions: ["Default"],
        allowed_urls: [{ url: "/status/(.*)", methods: ["GET", "POST"] }],
        limit: { rate: 100, per: 60, quota_max: 1_000, quota_remaining: 900, quota_renewal_rate: 3_600 },
        allowance_scope: "scope",
      },
    ]),
  ),
  meta_data: { note: "n".repeat(400) },
};

/** Sizes near those of most sessions. */
export const SESSIONS = { "250 B": SMALL as Session, "2.7 KB": LARGE as unknown as Session };
export type SessionSize = keyof typeof SESSIONS;

/**
 * As many rights as fit into a key of this size; the rest is text, since the number of a session's members is limited.
 */
const MOST_RIGHTS = 100;

/** A session that has about this many bytes as JSON. */
export function sessionOf(bytes: number): Session {
  const right = (nth: number) => ({
    ...LARGE.access_rights.api0,
    api_id: `api${nth}`,
    api_name: `API number ${nth}`,
  });
  const each = JSON.stringify(right(10)).length + 10;
  const count = Math.min(MOST_RIGHTS, Math.floor((bytes - 300) / each));
  if (count < 1) return SMALL as Session;
  const access_rights = Object.fromEntries(
    Array.from({ length: count }, (_, nth) => [`api${nth}`, right(nth)]),
  );
  const left = Math.max(0, bytes - JSON.stringify({ ...SMALL, access_rights }).length);
  const notes = Object.fromEntries(
    Array.from({ length: Math.floor(left / 1_000) }, (_, nth) => [`note${nth}`, "n".repeat(985)]),
  );
  return { ...SMALL, access_rights, meta_data: notes } as unknown as Session;
}

export const keysOf = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, nth) => `${prefix}${nth}`);
