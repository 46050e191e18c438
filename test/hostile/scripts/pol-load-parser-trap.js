// category: pol | mode: load | expect: exception | mix: no
eval('['.repeat(1000000));
var hostileHandler=1;
