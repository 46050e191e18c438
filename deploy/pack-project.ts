/** What an author has in a folder of their own, by path: as little as all commands need. */
export const PROJECT: Record<string, string> = {
  "apis/demo.json": JSON.stringify({
    api_id: "demo",
    org_id: "demo-org",
    event_handlers: {
      events: {
        KeyExpired: [
          { handler_name: "eh_dynamic_handler", handler_meta: { name: "greeter", path: "greeter.js" } },
        ],
      },
    },
  }),
  "handlers/greeter.js": `var greeter = new TykJS.TykEventHandlers.NewEventHandler({});

greeter.NewHandler(function (event, context) {
  log("hello " + event.Meta.Key);
  // @ts-expect-error: the declarations know what a context has
  if (context.ApiId) log(context.APIID);
});
`,
  "jsconfig.json": JSON.stringify({
    compilerOptions: {
      checkJs: true,
      noEmit: true,
      strict: true,
      noImplicitAny: false,
      skipLibCheck: false,
      target: "es2023",
      lib: ["es2023"],
      module: "preserve",
      types: ["gatehook/handlers"],
    },
    include: ["handlers"],
  }),
};
