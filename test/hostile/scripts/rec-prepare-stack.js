// category: rec | mode: handler | expect: interrupted,exception,completed,oom,killed | mix: no
Error.prepareStackTrace=function(){return new Error('again').stack};log(String(new Error('x').stack).length+'')
