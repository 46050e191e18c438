// Fails at its first attempts, after it has written.
var flaky = new TykJS.TykEventHandlers.NewEventHandler({});

flaky.NewHandler((event, context) => {
  count(event, context);
  if (context.Attempt <= event.Meta.Failures) throw new Error("not yet");
});
