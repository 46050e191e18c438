// category: host | mode: handler | expect: completed | mix: no
var n="é".repeat(5000000);TykGetKeyData(n,n);TykSetKeyData(n,"{}",n);TykStorageGet(n)
