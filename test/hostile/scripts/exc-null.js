// category: exc | mode: handler | expect: exception | mix: yes
throw null
