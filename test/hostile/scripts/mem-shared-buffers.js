// category: mem | mode: handler | expect: completed,exception,oom,interrupted | mix: no
var a=[];for(;;)a.push(new SharedArrayBuffer(1<<22))
