// category: ret | mode: handler | expect: interrupted,exception | mix: no
var p={then(r){r(p)}};return p
