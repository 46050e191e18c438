// category: host | mode: handler | expect: interrupted,killed | mix: no | not counted; the deadline must hold
var s="QUFB";while(s.length<1000000)s+=s;for(;;)b64dec(s)
