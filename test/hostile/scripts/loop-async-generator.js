// category: loop | mode: handler | expect: interrupted,exception | mix: no
async function* g(){for(;;)yield 1} (async function(){for await(var x of g());})()
