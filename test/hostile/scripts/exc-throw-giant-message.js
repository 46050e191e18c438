// category: exc | mode: handler | expect: exception,oom | mix: no
throw new Error('x'.repeat(20000000))
