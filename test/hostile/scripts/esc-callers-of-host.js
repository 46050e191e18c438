// category: esc | mode: handler | expect: completed | mix: yes
var seen=[];log({toString(){try{seen.push(String(arguments.callee.caller))}catch(e){seen.push('throws')}return 'x'}});log(/hostCall/.test(seen.join())?'ESCAPED '+seen:'clean')
