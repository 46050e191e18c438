// category: esc | mode: handler | expect: completed | mix: yes
["setTimeout","setInterval","setImmediate","queueMicrotask","structuredClone","fetch","process","require","WebAssembly","Deno","Bun","std","os","scriptArgs","print","gc","navigator","Worker","SharedWorker","importScripts"].forEach(function(n){if(typeof globalThis[n]!=="undefined")throw new Error(n)})
