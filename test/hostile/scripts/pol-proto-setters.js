// category: pol | mode: handler | expect: completed,exception | mix: yes
for(var k of ['ok','error','name','message','stack','value','then','Handle','EventType','length','get','set'])Object.defineProperty(Object.prototype,k,{configurable:true,get(){return 'evil'},set(){throw 'evil'}})
