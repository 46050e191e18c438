// category: rec | mode: handler | expect: exception,oom,completed | mix: no
function* g(){yield* g()} g().next()
