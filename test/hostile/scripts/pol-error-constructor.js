// category: pol | mode: handler | expect: completed | mix: yes
Error=TypeError=InternalError=RangeError=function(){for(;;);};Error.prototype={get message(){for(;;);}}
