// category: rec | mode: handler | expect: exception,completed | mix: no
var n=0;var o={toString(){n++;return [1].map(function(){log(o);return "x"}).join()}};log(o)
