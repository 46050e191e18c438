// Sends the whole event to an HTTP store and reads it back. Set RECORDS to your store's address.
var RECORDS = "";
var fbHandler = new TykJS.TykEventHandlers.NewEventHandler({});

fbHandler.NewHandler(function (event, context) {
  if (RECORDS === "") {
    log("no address to send to: set RECORDS");
    return;
  }

  var created = call("POST", "/events.json", JSON.stringify(event));
  log("created, status " + created.Code);

  var name = JSON.parse(created.Body).name;
  var record = JSON.parse(call("GET", "/events/" + name + ".json", "").Body);
  log("read back: " + record.Type);
});

function call(method, resource, body) {
  var request = {
    Method: method,
    Domain: RECORDS,
    Resource: resource,
    Headers: {},
    FormData: {},
    Body: body,
  };
  var answer = TykMakeHttpRequest(JSON.stringify(request));
  // What is thrown fails the run, and the event comes again.
  if (answer === undefined) throw new Error(method + " " + resource + " got no answer");
  return JSON.parse(answer);
}

log("record handler loaded");
