// Changes the session of its event's key at one attempt, and another one at the next.
var wanderer = new TykJS.TykEventHandlers.NewEventHandler({});

wanderer.NewHandler((event, context) => {
  addEffect(context.Attempt % 2 === 1 ? event.Meta.To : event.Meta.Key, context);
});
