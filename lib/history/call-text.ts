import { isObject, parsedJson } from "../json.ts";
import { MISS } from "../sessions/session.ts";
import type { CallRecord } from "./records.ts";

/** A short text about a call: a verb and the result. */
export function callText({ name, args, answer, given }: CallRecord): { verb: string; text: string } {
  const [first = "", second = ""] = args;
  switch (name) {
    case "getKeyData":
      return {
        verb: "read",
        text: `${first}${answer === MISS ? ": not there" : ""}${given ? " (came with the run)" : ""}`,
      };
    case "setKeyData":
      return { verb: "set", text: first };
    case "delKeyData":
      return { verb: "delete", text: first };
    case "makeHttpRequest":
      return { verb: "HTTP", text: `${requestText(parsedJson(first))} → ${statusOf(answer)}` };
    case "batchRequest":
      return { verb: "HTTP", text: batchText(parsedJson(first), answer) };
    case "storage":
      return { verb: "storage", text: `${first} ${second} → ${storageText(answer)}` };
  }
}

/** The gateway's names are case-insensitive. */
function member(value: unknown, name: string): string {
  if (!isObject(value)) return "";
  const found = Object.entries(value).find(([each]) => each.toLowerCase() === name);
  return typeof found?.[1] === "string" ? found[1] : "";
}

function requestText(request: unknown): string {
  if (!isObject(request)) return "a request that cannot be read";
  const [method, domain, resource] = ["method", "domain", "resource"].map((name) => member(request, name));
  return `${method || "GET"} ${domain}${resource}`;
}

function statusOf(answer: string | undefined): string {
  const reply = parsedJson(answer ?? "");
  return isObject(reply) && typeof reply.Code === "number" ? String(reply.Code) : "no answer";
}

function batchText(batch: unknown, answer: string | undefined): string {
  const requests = isObject(batch) && Array.isArray(batch.requests) ? batch.requests : [];
  const texts = requests.map((request) => {
    const [method, url] = ["method", "relative_url"].map((name) => member(request, name));
    return `${method || "GET"} ${url}`;
  });
  return `${requests.length} together: ${texts.join(", ")} → ${answer === undefined ? "no answer" : "answered"}`;
}

function storageText(answer: string | undefined): string {
  const reply = parsedJson(answer ?? "");
  if (!isObject(reply)) return "no answer";
  return reply.error ? `error: ${reply.error}` : (JSON.stringify(reply.value) ?? "done");
}
