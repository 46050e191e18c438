// A key that expired works for one more day, once.
var gracePeriod = new TykJS.TykEventHandlers.NewEventHandler({});

gracePeriod.NewHandler((event, context) => {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  if (session.status === "error") {
    log("there is no session: " + session.message);
    return;
  }
  var meta = session.meta_data || {};
  if (meta.grace_period) {
    log("this key had its grace period");
    return;
  }

  meta.grace_period = "used";
  session.meta_data = meta;
  session.expires = Math.floor(Date.now() / 1000) + 86400;
  // The 1 keeps the key's quota as it is.
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
  log("the key works for one more day");
});
