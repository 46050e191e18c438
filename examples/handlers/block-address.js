// Has a firewall block an address after five failed keys within five minutes.
var LIMIT = 5;
var SECONDS = 300;

var blockAddress = new TykJS.TykEventHandlers.NewEventHandler({});

blockAddress.NewHandler(function (event, context) {
  var address = event.Meta.Origin;
  var failures = Number(TykStorageIncr("failures:" + address, SECONDS));
  if (failures !== LIMIT) return;

  TykMakeHttpRequest(
    JSON.stringify({
      Method: "POST",
      Domain: context.config_data.firewall_url,
      Headers: { "Content-Type": "application/json" },
      Body: JSON.stringify({ address: address, seconds: 3600, reason: "failed keys at " + context.APIID }),
    }),
  );
  log("blocked after " + failures + " failed keys");
});
