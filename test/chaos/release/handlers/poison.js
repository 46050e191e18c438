// Never succeeds.
var poison = new TykJS.TykEventHandlers.NewEventHandler({});

poison.NewHandler((event, context) => {
  count(event, context);
  throw new Error("poison");
});
