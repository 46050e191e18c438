var counter = new TykJS.TykEventHandlers.NewEventHandler({});
counter.NewHandler(count);
