// category: native | mode: handler | expect: killed,interrupted,exception,oom,completed | mix: no
Array.prototype.reverse.call({length:9007199254740991})
