// category: mem | mode: handler | expect: completed,oom,exception,interrupted | mix: no
var a=[];try{for(;;)a.push(new Uint8Array(1<<16))}catch(e){} var s='é'.repeat(100000);for(var i=0;i<50;i++)try{log(s);TykSetKeyData('k'+i,s)}catch(e){}
