// category: rec | mode: handler | expect: completed | mix: no | as in the gateway: a toString that throws gives ""
var n=0;var o={toString(){n++;return [1].map(function(){log(o);return "x"}).join()}};log(o)
