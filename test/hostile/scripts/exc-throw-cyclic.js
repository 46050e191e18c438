// category: exc | mode: handler | expect: exception | mix: yes
var o={a:[1,{b:2}]};o.self=o;o.a.push(o.a);throw o
