// category: loop | mode: handler | expect: interrupted | mix: no
class A{static [(()=>{for(;;);})()]=1}
