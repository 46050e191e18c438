// category: pol | mode: load | expect: exception | mix: no
function again(){Promise.resolve().then(again)} again();
var hostileHandler=new TykJS.TykEventHandlers.NewEventHandler({});
hostileHandler.NewHandler(function(event,context){log('x')});
