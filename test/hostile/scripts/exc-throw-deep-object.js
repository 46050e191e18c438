// category: exc | mode: handler | expect: exception,oom | mix: no
var o={};for(var i=0;i<200000;i++)o={n:o};throw o
