// category: native | mode: handler | expect: killed,interrupted,exception,oom,completed | mix: no
try{Array.prototype.includes.call({length:9007199254740991},1)}finally{for(;;)Array.prototype.lastIndexOf.call({length:9007199254740991},1)}
