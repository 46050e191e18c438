import type { SourceFile } from "../../lib/releases/sources.ts";

/** This number of APIs with a script of two kilobytes each; another `mark` makes another release. */
export function scriptFiles(count: number, mark = ""): SourceFile[] {
  return Array.from({ length: count }, (_, nth) => nth).flatMap((nth) => {
    const trigger = {
      handler_name: "eh_dynamic_handler",
      handler_meta: { name: `h${nth}`, path: `${nth}.js` },
    };
    const definition = { api_id: `api-${nth}`, event_handlers: { events: { KeyExpired: [trigger] } } };
    const lines = Array.from({ length: 36 }, (_, line) => `  var v${line} = [${line}, "${"x".repeat(30)}"];`);
    const text = `var h${nth} = new TykJS.TykEventHandlers.NewEventHandler({});
h${nth}.NewHandler(function (event, context) {
${lines.join("\n")}
  log("${mark}" + event.Type);
});
`;
    return [
      { path: `apis/${nth}.json`, text: JSON.stringify(definition) },
      { path: `handlers/${nth}.js`, text },
    ];
  });
}
