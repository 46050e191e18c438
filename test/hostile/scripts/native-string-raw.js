// category: native | mode: handler | expect: killed,interrupted,exception,oom,completed | mix: no
String.raw({raw:{length:9007199254740991}})
