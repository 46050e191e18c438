// The smallest handler: it says that it ran.
var sampleHandler = new TykJS.TykEventHandlers.NewEventHandler({});

sampleHandler.NewHandler(function (event, context) {
  log("sample handler: " + event.EventType + " for API " + context.APIID);
});

log("sample handler loaded");
