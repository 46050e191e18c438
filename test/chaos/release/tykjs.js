// A counter that shows what it counted: each effect adds the event and its handler to the session of the event's key,
// which many events share, and to a session of the event's own.
function addEffect(key, context) {
  var session = sessionOf(key, context);
  if (key.startsWith("brief-")) session.session_lifetime = (session.tags || []).length % 2 ? 100000 : 0;
  session.tags = (session.tags || []).concat([context.EventID + "/" + context.Handler]);
  TykSetKeyData(key, JSON.stringify(session), 1);
}

function sessionOf(key, context) {
  var session = JSON.parse(TykGetKeyData(key, context.APIID));
  if (session.status !== "error") return session;
  return { org_id: context.OrgID, access_rights: { chaos: { api_id: "chaos" } } };
}

function count(event, context) {
  addEffect(event.Meta.Key, context);
  addEffect("mark-" + context.EventID, context);
}
