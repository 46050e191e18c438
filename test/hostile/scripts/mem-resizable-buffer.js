// category: mem | mode: handler | expect: completed,exception,oom | mix: no
var b=new ArrayBuffer(8,{maxByteLength:1000000000});if(b.resize)b.resize(1000000000);log(String(b.byteLength))
