// category: mem | mode: handler | expect: oom | mix: no | no memory is left for an error
var a=[];for(;;){a.push({k:"v"+a.length})}
