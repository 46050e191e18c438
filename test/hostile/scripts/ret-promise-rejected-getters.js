// category: ret | mode: handler | expect: exception | mix: yes
return Promise.reject({get message(){throw 1},get name(){throw 2},get stack(){throw 3},toString(){throw 4}})
