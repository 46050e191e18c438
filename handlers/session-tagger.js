// As handlers are written from the gateway's public documentation, with its older names: the event's type is
// EventType there, and its details are in EventMetaData.
var sessionTagger = new TykJS.TykEventHandlers.NewEventHandler({});

sessionTagger.NewHandler(function (event, context) {
  var key = event.EventMetaData.Key;
  var session = JSON.parse(TykGetKeyData(key, context.APIID));
  if (session.status === "error") {
    log("no session to tag: " + session.message);
    return;
  }

  session.tags = (session.tags || []).concat([event.EventType]);
  TykSetKeyData(key, JSON.stringify(session), 1);
  log("session tagged with " + event.EventType);
});
