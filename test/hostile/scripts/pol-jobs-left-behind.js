// category: pol | mode: handler | expect: completed | mix: yes
for(var i=0;i<100;i++)Promise.resolve().then(function(){globalThis.leftBehind=(globalThis.leftBehind||0)+1});Promise.reject(new Error('nobody listens'))
