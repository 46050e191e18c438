import { text as readStream } from "node:stream/consumers";
import { type Api, GATEWAY_API } from "../lib/apis/definition.ts";
import { EVENT_TYPES, OF_THE_GATEWAY } from "../lib/apis/event-types.ts";
import { createNearest } from "../lib/apis/nearest.ts";
import { AppError } from "../lib/errors.ts";
import { type GatewayEvent, parseEvent } from "../lib/events/event.ts";
import { parsedJson, valueIn } from "../lib/json.ts";
import { buildRelease } from "../lib/releases/build.ts";
import { chooseSample, handledIn } from "./dev/sample-choice.ts";
import { gatewayTime, sampleMeta } from "./dev/sample-meta.ts";
import { type FolderOptions, findEvent } from "./events-open.ts";
import { readFolder } from "./folder.ts";
import { readProject } from "./project.ts";
import { readText, UsageError } from "./terminal/usage.ts";

/** The options of an event's body. */
export interface BodyOptions extends FolderOptions {
  api?: string;
  key?: string;
  /** `Meta.Path=/x` */
  set: string[];
  file?: string;
  from?: string;
}

/** An event to send, and its API. */
export interface Body {
  api_id: string;
  event: GatewayEvent;
}

/** `project`: the folder of the stack. Throws a UsageError for invalid options. */
export async function bodiesOf(
  type: string | undefined,
  options: BodyOptions,
  project: string,
): Promise<Body[]> {
  const { file, from, key } = options;
  const ways = [type, file, from].filter((way) => way !== undefined);
  if (ways.length !== 1)
    throw new UsageError(
      "name what to send in one of three ways: a type of event, --file, or --from with an event",
    );
  const sets = options.set.map(parseSet);
  if (type === undefined && key !== undefined) sets.push({ path: ["Meta", "Key"], value: key });
  const bodies =
    type !== undefined
      ? [await sampleBody(checkedType(type), options, project)]
      : from !== undefined
        ? [await recorded(from, options)]
        : await readBodies(file ?? "", options.api);
  return bodies.map(({ api_id, event }) => ({ api_id, event: sets.reduce(withSet, event) }));
}

const nearestType = createNearest(EVENT_TYPES);

/** A plugin may fire events of any type; a type that is similar to one of the gateway's is a mistake. */
function checkedType(type: string): string {
  const near = nearestType(type);
  if (EVENT_TYPES.includes(type) || near === undefined) return type;
  throw new UsageError(
    `no gateway fires an event of type ${type}: did you mean ${near}? To send it all the same: --file`,
  );
}

async function sampleBody(type: string, { api, key }: BodyOptions, project: string): Promise<Body> {
  const { api_id: apiId, org_id: orgId } = await apiOf(type, api, project);
  const own = /^[\w.-]{1,100}$/.test(apiId) ? `${apiId}-key` : "sample-key";
  const Meta = sampleMeta(type, { apiId, orgId, key: key ?? own });
  return { api_id: apiId, event: { Type: type, Meta, TimeStamp: gatewayTime(new Date()) } };
}

/** The named API, or the first one with a handler. */
async function apiOf(
  type: string,
  named: string | undefined,
  project: string,
): Promise<Pick<Api, "api_id" | "org_id">> {
  if (named === undefined && OF_THE_GATEWAY.includes(type)) return { api_id: GATEWAY_API, org_id: "" };
  const { files } = await readFolder(project, (await readProject(project)).folders);
  if (named === undefined) {
    const chosen = chooseSample(handledIn(files), { event: type });
    if (chosen) return chosen.api;
  }
  const known = buildRelease(files).apis.find(({ api }) => api.api_id === named);
  return known?.api ?? { api_id: named ?? "", org_id: "" };
}

async function recorded(named: string, { api, dir }: BodyOptions): Promise<Body> {
  const { attempts, row } = await findEvent(named, { dir });
  const event = attempts.at(-1)?.event;
  if (event) return { api_id: api ?? row.api_id, event };
  throw new AppError("local-failed", `event ${row.id} has no body yet: it is ${row.outcome}`);
}

/** One event in any format of ingest, an array of events, or one event on each line. */
async function readBodies(file: string, api: string | undefined): Promise<Body[]> {
  const text = file === "-" ? await readStream(process.stdin) : await readText(file, "event");
  const name = file === "-" ? "standard input" : file;
  const texts = textsIn(text);
  if (texts.length === 0) throw new UsageError(`${name} has no event in it`);
  return texts.map((each, at) => {
    const where = texts.length === 1 ? name : `${name}, event ${at + 1}`;
    try {
      const { api_id, event } = parseEvent(each, { apiId: api, fallbackId: "none" });
      return { api_id: api ?? api_id, event };
    } catch (cause) {
      if (!(cause instanceof AppError)) throw cause;
      const more = cause.field === "api_id" ? ": add --api" : "";
      throw new UsageError(`${where}: ${cause.message}${more}`, { cause });
    }
  });
}

function textsIn(text: string): string[] {
  const value = parsedJson(text);
  if (Array.isArray(value)) return value.map((each) => JSON.stringify(each));
  if (value !== undefined) return [text];
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.every((line) => parsedJson(line) !== undefined) ? lines : [text];
}

interface Setting {
  path: string[];
  value: string;
}

const SET = /^(Type|TimeStamp|Meta(?:\.[^=]+)+)=(.*)$/s;

function parseSet(text: string): Setting {
  const [, path, value] = SET.exec(text) ?? [];
  if (path === undefined || value === undefined)
    throw new UsageError(
      `--set ${text}: it has the form Meta.Path=/x; the part before the = is Type, TimeStamp or a member of Meta`,
    );
  return { path: path.split("."), value };
}

const withSet = (event: GatewayEvent, { path, value }: Setting): GatewayEvent =>
  ({ ...event, ...(withMember(event, path, value) as object) }) as GatewayEvent;

/** A member that is a text remains a text; for others the value is parsed as JSON if possible. */
function withMember(holder: unknown, [name = "", ...rest]: string[], text: string): unknown {
  const members: Record<string, unknown> = typeof holder === "object" && holder !== null ? { ...holder } : {};
  const before = valueIn(members, name);
  const value =
    rest.length > 0
      ? withMember(before, rest, text)
      : typeof before === "string"
        ? text
        : (parsedJson(text) ?? text);
  return { ...members, [name]: value };
}
