// category: ret | mode: handler | expect: exception | mix: no
return new Promise(function(){})
