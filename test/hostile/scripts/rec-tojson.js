// category: rec | mode: handler | expect: exception,completed,oom | mix: no
var o={toJSON(){return JSON.stringify(o)}};JSON.stringify(o)
