// category: regex | mode: handler | expect: interrupted,exception | mix: no
/(?<=(a+)+)b$/.test('a'.repeat(60)+'c'.repeat(3));/^(?:(a+)+|b)*$/.test('a'.repeat(60)+'!')
