// category: exc | mode: handler | expect: exception | mix: yes
throw {toJSON:function(){return {toJSON:this.toJSON,again:this}}}
