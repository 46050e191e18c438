// category: exc | mode: handler | expect: interrupted,killed | mix: no
throw {toJSON:function(){for(;;);}}
