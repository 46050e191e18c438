// Opens an incident when a circuit breaker trips, and closes it when the breaker is closed again.
var TRIPPED = 0;

var openIncident = new TykJS.TykEventHandlers.NewEventHandler({});

openIncident.NewHandler(function (event, context) {
  var action = event.Meta.CircuitEvent === TRIPPED ? "trigger" : "resolve";
  TykMakeHttpRequest(
    JSON.stringify({
      Method: "POST",
      Domain: context.config_data.incidents_url,
      Headers: { "Content-Type": "application/json" },
      Body: JSON.stringify({
        // One incident for a path, however often its breaker trips.
        dedup_key: context.APIID + event.Meta.Path,
        action: action,
        summary: "circuit breaker of " + event.Meta.Path,
      }),
    }),
  );
  log(action + " for " + event.Meta.Path);
});
