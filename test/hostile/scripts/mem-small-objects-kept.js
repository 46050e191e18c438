// category: mem | mode: handler | expect: oom | mix: no | nor to describe one
globalThis.a=[];for(;;){a.push({k:"v"+a.length})}
