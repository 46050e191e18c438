// category: exc | mode: handler | expect: exception | mix: yes
throw new InternalError("out of memory")
