import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A body that a running gateway sent by a webhook, byte for byte. */
export interface WebhookBody {
  /** The template: A to D, the default body, or one of those that are shipped with the gateway. */
  form: "A" | "B" | "C" | "D" | "default" | "shipdefault" | "breaker";
  type: string;
  api: string;
  body: string;
}

const FILE = fileURLToPath(new URL("../gateway-samples/webhook-bodies.json", import.meta.url));

export const WEBHOOK_BODIES = JSON.parse(readFileSync(FILE, "utf8")) as WebhookBody[];

export interface WholeEvent {
  Type: string;
  Meta: Record<string, unknown>;
  TimeStamp: string;
  Partial?: string[];
}

/** The complete event in the gateway. */
export function wholeEvent(type: string): WholeEvent {
  const sample = WEBHOOK_BODIES.find((each) => each.form === "A" && each.type === type);
  if (!sample) throw new Error(`no ${type} in form A`);
  return JSON.parse(sample.body.slice("<script>".length, -"</script>".length)) as WholeEvent;
}

/** The event without these members, which are then in `Partial`. */
export function without(whole: WholeEvent, names: string[]): WholeEvent {
  const event = structuredClone(whole);
  for (const name of names) {
    if (name === "TimeStamp") {
      event.TimeStamp = "";
      continue;
    }
    const path = name.split(".");
    const last = path.pop() ?? "";
    let at = event as unknown as Record<string, unknown>;
    for (const part of path) at = at[part] as Record<string, unknown>;
    delete at[last];
  }
  return names.length > 0 ? { ...event, Partial: names } : event;
}

/** The members that a template omits, according to the gateway's code. */
export function missingOf({ form, type }: Pick<WebhookBody, "form" | "type">): string[] {
  if (form === "A" || form === "B") return [];
  if (form === "C") return MISSING_C[type] ?? [];
  const reason = type === "VersionFailure" ? ["Meta.Reason"] : [];
  if (form === "D")
    return [
      "Meta.OriginatingRequest",
      ...(type.startsWith("Breaker") ? ["Meta.APIID", "Meta.CircuitEvent"] : ["Meta.Origin", "Meta.Key"]),
      ...reason,
    ];
  const shipped = ["TimeStamp", "Meta.OriginatingRequest"];
  if (type === "BreakerTripped" && form !== "breaker") return [...shipped, "Meta.CircuitEvent"];
  if (type === "HostDown") return [...shipped, ...HOST_INFO, "Meta.HostInfo.MetaData.target_url", LATENCY];
  return [...shipped, ...reason];
}

const HOST_INFO = ["Protocol", "Timeout", "EnableProxyProtocol", "Commands", "Method", "Headers", "Body"].map(
  (name) => `Meta.HostInfo.${name}`,
);
const LATENCY = "Meta.HostInfo.Latency";
const TOKEN = ["Meta.Org", "Meta.Key"];
const MISSING_C: Record<string, string[]> = { HostDown: HOST_INFO, TokenCreated: TOKEN, TokenDeleted: TOKEN };
