// category: ret | mode: handler | expect: completed | mix: no
hostileHandler.DoProcessEvent=function(){throw new Error("next")}
