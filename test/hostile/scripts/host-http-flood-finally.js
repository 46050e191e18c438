// category: host | mode: handler | expect: interrupted | mix: no
function f(){for(;;)try{TykMakeHttpRequest('{"Method":"GET"}')}finally{continue}} f()
