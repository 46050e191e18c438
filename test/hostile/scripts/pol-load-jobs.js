// category: pol | mode: load | expect: completed | mix: no
var seen=0;Promise.resolve().then(function(){seen++});
var hostileHandler=new TykJS.TykEventHandlers.NewEventHandler({});
hostileHandler.NewHandler(function(event,context){log('seen '+seen)});
