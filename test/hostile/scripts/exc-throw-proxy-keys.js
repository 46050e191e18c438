// category: exc | mode: handler | expect: exception,oom,interrupted,killed | mix: no
throw new Proxy({},{ownKeys:function(){return new Array(3000000).fill(0).map(function(_,i){return "k"+i})},getOwnPropertyDescriptor:function(){return {value:1,enumerable:true,configurable:true}}})
