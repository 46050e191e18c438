// Gives a key that just expired another 1000 seconds: reads its session, changes it, writes it back.
var sessionEditor = new TykJS.TykEventHandlers.NewEventHandler({});

sessionEditor.NewHandler(function (event, context) {
  var key = event.Meta.Key;
  var session = JSON.parse(TykGetKeyData(key, context.APIID));
  if (session.status === "error") {
    log("no session to edit: " + session.message);
    return;
  }

  session.expires = session.expires + 1000;
  // The 1 keeps the key's quota as it is; without it, a write resets the quota.
  TykSetKeyData(key, JSON.stringify(session), 1);
  log("expiry moved by 1000 seconds, after a " + event.Type + " event");
});
