// category: mem | mode: handler | expect: completed,oom,exception,interrupted | mix: no
globalThis.a=[];try{for(;;)a.push('x'.repeat(1000)+a.length)}catch(e){} for(var i=0;i<200;i++)try{a.push(TykGetKeyData('k','a'))}catch(e){}
