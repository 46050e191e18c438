// category: esc | mode: handler | expect: completed,exception,interrupted,killed | mix: no
var b=new SharedArrayBuffer(8);Atomics.wait(new Int32Array(b),0,0,1e9)
