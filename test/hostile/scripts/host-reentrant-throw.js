// category: host | mode: handler | expect: exception,completed | mix: yes
log({toString(){log("inner");throw new Error("x")}})
