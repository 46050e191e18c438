// Tells a chat that a key has expired, by the name that people know it by.
var notifyChat = new TykJS.TykEventHandlers.NewEventHandler({});

notifyChat.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  var name = session.alias || "a key without a name";
  var answer = JSON.parse(
    TykMakeHttpRequest(
      JSON.stringify({
        Method: "POST",
        Domain: context.config_data.chat_url,
        Headers: { "Content-Type": "application/json" },
        Body: JSON.stringify({ text: name + " has expired (" + context.APIID + ")" }),
      }),
    ) || '{"code":0}',
  );
  // Thrown, so that the event is retried: the chat gets the message when it is available.
  if (answer.code !== 200) throw new Error("the chat answered " + answer.code);
});
