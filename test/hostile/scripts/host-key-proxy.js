// category: host | mode: handler | expect: interrupted | mix: no
TykSetKeyData(new Proxy({},{get(){for(;;);}}),'{}')
