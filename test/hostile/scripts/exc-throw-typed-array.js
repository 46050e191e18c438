// category: exc | mode: handler | expect: exception,oom,killed | mix: no
throw new Uint8Array(10000000)
