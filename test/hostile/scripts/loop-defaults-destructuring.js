// category: loop | mode: handler | expect: interrupted | mix: no
var {a=(()=>{for(;;);})()}={}
