// Gives keys of some plans more when their quota is used up, once in each period of the quota.
var extendQuota = new TykJS.TykEventHandlers.NewEventHandler({});

extendQuota.NewHandler(function (event, context) {
  var key = event.Meta.Key;
  var session = JSON.parse(TykGetKeyData(key, context.APIID));
  if (session.status === "error") return;

  var meta = session.meta_data || {};
  var more = context.config_data.plans[meta.plan];
  if (!more) return log("its plan has nothing to give");
  if (meta.extended_until === session.quota_renews) return log("it was given more in this period");

  session.quota_max = session.quota_max + more;
  session.quota_remaining = more;
  session.meta_data = Object.assign({}, meta, { extended_until: session.quota_renews });
  // The 1 keeps the period as it is; without it, a write resets the quota.
  TykSetKeyData(key, JSON.stringify(session), 1);
  log("quota raised by " + more);
});
