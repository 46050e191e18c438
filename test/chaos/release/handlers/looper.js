// Enters a native loop at its first attempt, after it has written: only the end of its thread ends it.
var looper = new TykJS.TykEventHandlers.NewEventHandler({});

looper.NewHandler((event, context) => {
  count(event, context);
  if (context.Attempt === 1) [].indexOf.call({ length: 2 ** 53 - 1 }, 1);
});
