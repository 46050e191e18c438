// The objects of the gateway's own core script: what handlers and middleware files are made with.
(core) => {
  const { create, log } = core;

  function NewEventHandler() {}
  function EventHandlerComponentMeta() {}
  EventHandlerComponentMeta.prototype.DoProcessEvent = function (event, context) {
    log("info", "Calling built - in handle");
    core.returned(this.Handle(event, context));
  };
  EventHandlerComponentMeta.prototype.Handle = (event) => {
    log("info", "Handler not implemented!");
    return event;
  };
  const extend = (child, base) => {
    child.prototype = create(base.prototype, {
      constructor: { value: child, writable: true, configurable: true },
    });
  };
  extend(NewEventHandler, EventHandlerComponentMeta);
  NewEventHandler.prototype.NewHandler = function (callback) {
    this.Handle = callback;
  };

  // Nothing here calls middleware: it is there so that a file which holds both loads.
  function NewMiddleware(configuration) {
    this.configuration = configuration;
  }
  function MiddlewareComponentMeta(configuration) {
    this.configuration = configuration;
  }
  MiddlewareComponentMeta.prototype.DoProcessRequest = function (request, session, config) {
    request.Body = core.decode(request.Body);
    const processed = this.ProcessRequest(request, session, config);
    if (!processed) return void log("info", "Middleware didn't return request object!");
    processed.Request.Headers = {};
    processed.Request.Body = core.encode(processed.Request.Body);
    return core.stringify(processed);
  };
  MiddlewareComponentMeta.prototype.ProcessRequest = (request) => {
    log("info", "Process Request Not Implemented");
    return request;
  };
  MiddlewareComponentMeta.prototype.DoProcessResponse = function (response, request, session, config) {
    const processed = this.ProcessResponse(response, request, session, config);
    if (!processed) return void log("info", "Middleware didn't return response object!");
    return core.stringify(processed);
  };
  MiddlewareComponentMeta.prototype.ProcessResponse = (response) => {
    log("info", "Process Response Not Implemented");
    return response;
  };
  extend(NewMiddleware, MiddlewareComponentMeta);
  NewMiddleware.prototype.NewProcessRequest = function (callback) {
    this.ProcessRequest = callback;
  };
  NewMiddleware.prototype.NewProcessResponse = function (callback) {
    this.ProcessResponse = callback;
  };
  NewMiddleware.prototype.ReturnData = (request, session) => ({ Request: request, SessionMeta: session });
  NewMiddleware.prototype.ReturnResponseData = (response, session) => ({
    Response: response,
    SessionMeta: session,
  });
  NewMiddleware.prototype.ReturnAuthData = (request, session) => ({ Request: request, Session: session });

  return {
    TykMiddleware: { MiddlewareComponentMeta, NewMiddleware },
    TykEventHandlers: { EventHandlerComponentMeta, NewEventHandler },
  };
};
