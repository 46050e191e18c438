// Changes two shared sessions; both must change, or none.
var mover = new TykJS.TykEventHandlers.NewEventHandler({});

mover.NewHandler((event, context) => {
  addEffect(event.Meta.To, context);
  count(event, context);
});
