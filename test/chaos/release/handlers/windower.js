// Stands for all events of a window: a session of its own has how many there were in each.
var windower = new TykJS.TykEventHandlers.NewEventHandler({});

windower.NewHandler((event, context) => {
  const key = `windows-${event.Meta.Key}`;
  const session = sessionOf(key, context);
  const { windows = [] } = session.meta_data || {};
  session.meta_data = { windows: [...windows, { id: context.EventID, count: context.Coalesced.Count }] };
  TykSetKeyData(key, JSON.stringify(session), 1);
});
