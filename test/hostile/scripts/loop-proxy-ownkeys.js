// category: loop | mode: handler | expect: interrupted,exception,oom | mix: no
for(;;)Reflect.ownKeys(new Proxy({},{ownKeys(){return Array.from({length:1000},(_,i)=>'k'+i)}}))
