// category: mem | mode: handler | expect: completed,oom,exception,interrupted | mix: no
var a=[];function f(){a.push(new Array(20000).fill(a.length));Promise.resolve().then(f);Promise.resolve().then(f)} f()
