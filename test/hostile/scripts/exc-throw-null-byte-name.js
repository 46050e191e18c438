// category: exc | mode: handler | expect: exception | mix: yes
var e=new Error('a\u0000b\ud800');e.name='\u0000';throw e
