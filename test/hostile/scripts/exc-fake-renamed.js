// category: exc | mode: handler | expect: exception | mix: yes
var e=new Error("out of memory");e.name="InternalError";throw e
