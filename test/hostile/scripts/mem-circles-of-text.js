// category: mem | mode: handler | expect: oom,completed,interrupted,killed | mix: no
for(var i=0;i<3000;i++){var o={text:new Array(2000).fill("circle"+i).join("-".repeat(50))};o.self=o}
