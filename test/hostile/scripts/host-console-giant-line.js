// category: host | mode: handler | expect: completed,exception,oom,interrupted,killed | mix: no
console.log.apply(null,new Array(60000).fill('x'.repeat(2000)))
