import type { SourceFile } from "../../lib/releases/sources.ts";

export const API = "artifact";
/** Keys begin with it, as a gateway makes them. */
export const ORG = "5e9d9544a1dcd60001d0ed20";

const handler = (name: string) => [
  { handler_name: "eh_dynamic_handler", handler_meta: { name, path: `${name}.js` } },
];

const script = (name: string, body: string): SourceFile => ({
  path: `handlers/${name}.js`,
  text: `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n${name}.NewHandler(function (event, context) {\n${body}\n});\n`,
});

/** An upload that makes the functions use all that they may use; `mark` is what this version writes. */
export function filesOf(mark: string): SourceFile[] {
  const events = {
    KeyExpired: handler("marker"),
    QuotaExceeded: handler("storer"),
    AuthFailure: handler("breaker"),
    HostDown: handler("remover"),
    // Its address is one that may not be reached, so that it is sent to nobody.
    VersionFailure: [
      {
        handler_name: "eh_web_hook_handler",
        handler_meta: {
          method: "POST",
          target_path: "http://127.0.0.1:9/",
          template_path: "hook.txt",
          event_timeout: 60,
          gatehook: true,
        },
      },
      {
        handler_name: "eh_log_handler",
        handler_meta: { prefix: "artifact", gatehook: { coalesce: { window: "1s", by: "Key" } } },
      },
    ],
  };
  const config_data = { url: "env://url", token: "secrets://token" };
  const definition = { api_id: API, org_id: ORG, config_data, event_handlers: { events } };
  return [
    { path: "apis/artifact.json", text: JSON.stringify(definition) },
    script(
      "marker",
      `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.tags = (session.tags || []).concat(["${mark}"]);
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`,
    ),
    script(
      "storer",
      `TykStorageSet(event.Meta.Key, "${mark}");
log("stored " + TykStorageGet(event.Meta.Key) + ", with " + context.config_data.url);
TykStorageDel(event.Meta.Key);`,
    ),
    script("remover", "TykDelKeyData(event.Meta.Key, context.APIID);"),
    script("breaker", 'throw new Error("broken on purpose");'),
    { path: "templates/hook.txt", text: "{{.Meta.Key}}" },
    { path: "gateway.json", text: '{"event_handlers":{"events":{}}}' },
    { path: "tykjs.js", text: "var core = true;\n" },
  ];
}
