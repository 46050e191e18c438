// category: host | mode: handler | expect: interrupted | mix: no
for(;;)try{TykStorageGet('k')}catch(e){}
