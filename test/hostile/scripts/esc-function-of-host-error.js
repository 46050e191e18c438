// category: esc | mode: handler | expect: completed | mix: yes
var r=[];for(var f of [log,TykGetKeyData,TykSetKeyData,TykStorageGet,b64enc])try{r.push(typeof f.constructor('return typeof process+typeof require+typeof globalThis.hostCall+typeof limits+typeof tykjs')())}catch(e){r.push('throws')};log(r.join())
