// category: esc | mode: handler | expect: completed | mix: yes
try{TykStorageSet('\ud800'.repeat(10),'v',0)}catch(e){log(/node:|worker|file:|\/lib\//.test(e.stack+e.message)?'ESCAPED '+e.stack:'clean')}log('end')
