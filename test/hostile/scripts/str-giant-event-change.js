// category: str | mode: handler | expect: completed,oom,exception,interrupted | mix: no
event.Type='x'.repeat(30000000);event.Meta=null;Object.setPrototypeOf(event,null);log(event.Type)
