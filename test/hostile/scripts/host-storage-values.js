// category: host | mode: handler | expect: completed | mix: no
[NaN,Infinity,-Infinity,1e308,-0,"0x10",{},[],null,-1e20,Number.MAX_SAFE_INTEGER].forEach(function(t){TykStorageSet("k","v",t);TykStorageTTL("k");TykStorageIncr("n",t)});TykStorageSet("k".repeat(5000000),"v".repeat(9000000),0)
