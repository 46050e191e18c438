// category: pol | mode: handler | expect: completed | mix: yes
Function.prototype.call=Function.prototype.apply=Function.prototype.bind=function(){return 'evil'};String.prototype.slice=RegExp.prototype.exec=RegExp.prototype.test=Promise.prototype.then=function(){throw 'evil'};Promise.resolve=function(){throw 'evil'};eval=function(){return 'evil'}
