// category: host | mode: handler | expect: interrupted,oom,killed,exception | mix: no
for(;;)b64dec(b64enc('x'.repeat(1000000)))
