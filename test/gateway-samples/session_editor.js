// Reads the session of the event's key, moves its expiry, and writes it back, which starts the key's quota anew.
var sessionHandler = new TykJS.TykEventHandlers.NewEventHandler({});

sessionHandler.NewHandler(function (event, context) {
  var key = event.EventMetaData.Key;
  var session = JSON.parse(TykGetKeyData(key, context.APIID));
  log("expires was " + session.expires);
  session.expires = session.expires + 1000;
  TykSetKeyData(key, JSON.stringify(session));
});

log("session handler loaded");
