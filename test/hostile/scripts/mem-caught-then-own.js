// category: mem | mode: handler | expect: exception | mix: no | its own error, with its memory back
var a=[];try{for(;;)a.push("x".repeat(1<<18)+a.length)}catch(e){a=null} throw new Error("given up")
