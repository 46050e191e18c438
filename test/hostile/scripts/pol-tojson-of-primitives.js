// category: pol | mode: handler | expect: completed | mix: yes
String.prototype.toJSON=Number.prototype.toJSON=Boolean.prototype.toJSON=Function.prototype.toJSON=function(){return 'evil'}
