// Reads a session that nobody changes and writes none: what it leaves is its event's ledger entry.
var looker = new TykJS.TykEventHandlers.NewEventHandler({});

looker.NewHandler((_event, context) => {
  TykGetKeyData(`look-${context.EventID}`, context.APIID);
});
