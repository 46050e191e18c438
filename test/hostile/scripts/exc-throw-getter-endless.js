// category: exc | mode: handler | expect: interrupted,killed | mix: no
throw {get a(){for(;;);}}
