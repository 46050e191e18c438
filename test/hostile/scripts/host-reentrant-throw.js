// category: host | mode: handler | expect: completed | mix: yes | as in the gateway: a toString that throws gives ""
log({toString(){log("inner");throw new Error("x")}})
