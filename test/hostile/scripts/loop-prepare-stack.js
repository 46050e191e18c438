// category: loop | mode: handler | expect: interrupted,exception | mix: no
Error.prepareStackTrace=function(){for(;;);};null.x
