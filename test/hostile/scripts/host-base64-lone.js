// category: host | mode: handler | expect: completed,killed,oom | mix: no | every character one of its own
var s="\udc80";while(s.length<4194304)s+=s;b64enc(s)
