// category: host | mode: handler | expect: completed,exception | mix: yes
try{TykStorageSet('k','v',10n**400n)}catch(e){log(e.name)} try{TykStorageSet('k','v',Symbol('s'))}catch(e){log(e.name)}
