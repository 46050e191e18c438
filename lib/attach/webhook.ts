import { SCRIPT_KIND, WEBHOOK_KIND } from "../apis/classic.ts";
import { WEBHOOK_TYPE } from "../apis/oas.ts";
import { isOwn } from "../webhooks/definition.ts";

/** The address to which the gateway sends events, and the template. */
export interface Target {
  /** The URL of ingest, or of a publisher beside the gateway; without a slash at the end. */
  url: string;
  /** Missing if no token is required. */
  token?: string;
  /** The path of the template at the gateway. */
  template: string;
}

/** Sends the whole event for every type: inside a script element, the template language writes JSON. */
export const TEMPLATE = { name: "full_event.json", text: "<script>{{.}}</script>\n" };

/** The name by which our entry is recognised in the gateway's copy of an OAS document. */
export const NAME = "gatehook";

/**
 * The gateway does not send an equal body again within that time; with 0 each event would stay in its Redis forever.
 */
const COOLDOWN_SECONDS = 1;

/** One entry of `event_handlers`, as in the file; the gateway compares member names case-insensitively. */
export type Entry = Record<string, unknown>;
type Meta = Record<string, unknown>;

const eventsUrl = ({ url }: Target, apiId: string) => `${url}/events/${encodeURIComponent(apiId)}`;

const headersOf = ({ token }: Target) => ({
  ...(token && { authorization: `Bearer ${token}` }),
  "content-type": "application/json",
});

/** The `handler_meta` that sends the events of an API; `gatehook`: the handlers that run for them. */
export const classicWebhook = (target: Target, apiId: string, gatehook: unknown[]) => ({
  method: "POST",
  target_path: eventsUrl(target, apiId),
  template_path: target.template,
  header_map: headersOf(target),
  event_timeout: COOLDOWN_SECONDS,
  gatehook,
});

/** The same in an OAS document. */
export const oasWebhook = (target: Target, apiId: string, trigger: string) => ({
  enabled: true,
  trigger,
  type: WEBHOOK_TYPE,
  name: NAME,
  url: eventsUrl(target, apiId),
  method: "POST",
  bodyTemplate: target.template,
  headers: Object.entries(headersOf(target)).map(([name, value]) => ({ name, value })),
  cooldownPeriod: `${COOLDOWN_SECONDS}s`,
});

/** Whether it runs a script in the gateway. */
export const runsScript = (entry: Entry) => kindOf(entry) === SCRIPT_KIND && !isDisabled(entry);

/** The `handler_meta` values of the scripts that a webhook of gatehook lists. Undefined for any other entry. */
export function carriedBy(entry: Entry): Meta[] | undefined {
  const { gatehook } = metaOf(entry);
  if (kindOf(entry) !== WEBHOOK_KIND || isDisabled(entry) || !isHolder(gatehook) || isOwn(gatehook))
    return undefined;
  return (Array.isArray(gatehook) ? gatehook : [gatehook]) as Meta[];
}

/** The entry's `handler_name`; if several members differ only in case, the last one, as the gateway decodes it. */
export const kindOf = (entry: Entry) => memberOf(entry, "handler_name");

/** The entry's `handler_meta`; `{}` where it is missing or is not an object. */
export function metaOf(entry: Entry): Meta {
  const meta = memberOf(entry, "handler_meta");
  return isHolder(meta) ? (meta as Meta) : {};
}

/** Whether its `handler_meta` says `disabled: true`. The gateway runs every other entry. */
export const isDisabled = (entry: Entry) => memberOf(metaOf(entry), "disabled") === true;

const memberOf = (holder: Record<string, unknown>, wanted: string) =>
  Object.entries(holder).findLast(([name]) => name.toLowerCase() === wanted)?.[1];

const isHolder = (value: unknown) => typeof value === "object" && value !== null;
