// Writes a line to an audit log that is reached over HTTP. What it does not take is sent again, with the same id.
var writeAudit = new TykJS.TykEventHandlers.NewEventHandler({});

writeAudit.NewHandler(function (event, context) {
  var answer = JSON.parse(
    TykMakeHttpRequest(
      JSON.stringify({
        Method: "POST",
        Domain: context.config_data.audit_url,
        Headers: { "Content-Type": "application/json" },
        Body: JSON.stringify({
          id: context.EventID,
          type: event.Type,
          api: context.APIID,
          at: event.TimeStamp,
        }),
      }),
    ) || '{"code":0}',
  );
  if (answer.code < 200 || answer.code > 299) throw new Error("the audit log answered " + answer.code);
});
