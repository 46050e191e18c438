// category: ret | mode: handler | expect: interrupted | mix: no
return {get then(){for(;;);}}
