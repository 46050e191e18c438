// category: host | mode: handler | expect: interrupted | mix: no
var r=[];for(var i=0;i<10000;i++)r.push({method:'GET',relative_url:'http://a/'});try{TykBatchRequest(JSON.stringify({requests:r}))}catch(e){log('caught')}
