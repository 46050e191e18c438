// category: loop | mode: handler | expect: interrupted,exception,completed | mix: no
Object.defineProperty(Error,'stackTraceLimit',{get(){for(;;);}});null.x
