// category: esc | mode: handler | expect: completed | mix: yes
import('std').then(function(){log('ESCAPED')},function(){log('rejected')});import('os').then(function(){log('ESCAPED')},function(){log('rejected')});import('qjs:os').then(function(){log('ESCAPED')},function(){log('rejected')})
