// Changes the session of its event's key alone. Some of them end after a while, every other time.
var homer = new TykJS.TykEventHandlers.NewEventHandler({});

homer.NewHandler((event, context) => {
  addEffect(event.Meta.Key, context);
});
