// category: host | mode: handler | expect: interrupted | mix: no
log({toString(){for(;;);}})
