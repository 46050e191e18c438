/** A hostile call: the body of a handler, in which URL and HOST are the bench's server. */
export interface HostileCall {
  call: "log" | "getKeyData" | "setKeyData" | "makeHttpRequest" | "batchRequest" | "storage";
  name: string;
  body: string;
}

/** The longest text that can be passed to the host. */
const MOST = 4_190_000;

/** Makes `name` a list of `count` items, each the value of an expression with `i`. */
const list = (name: string, count: number, item: string) =>
  `var ${name} = []; for (var i = 0; i < ${count}; i += 1) ${name}.push(${item});`;
const members = (count: number, member: string) => list("m", count, member);
const deep = (levels: number) => `"[".repeat(${levels}) + "]".repeat(${levels})`;

/** `json`: an expression for the text of the other members. */
const http = (json: string) =>
  `TykMakeHttpRequest('{"Method":"POST","Domain":"' + URL + '","Resource":"/small",' + ${json} + "}");`;
const url = (expression: string) =>
  `TykMakeHttpRequest('{"Domain":"' + URL + '/","Resource":"' + ${expression} + '"}');`;
const get = (path: string) => `TykMakeHttpRequest('{"Domain":"' + URL + '","Resource":"${path}"}');`;
const batch = (item: string, count: number, name = '"requests"') =>
  `${list("r", count, item)} TykBatchRequest('{${name}:[' + r.join() + "]}");`;
const to = (path: string) => `'{"relative_url":"' + URL + '${path}"}'`;
/** `json`: an expression for the text of `meta_data`. */
const set = (json: string) =>
  `TykSetKeyData("k", '{"access_rights":{"a":{}},"meta_data":' + ${json} + "}", 1);`;
const caught = (body: string) => `try { ${body} } catch (e) {}`;

const lines = (count: number, expression: string) =>
  `for (var i = 0; i < ${count}; i += 1) log(${expression});`;

export const CORPUS: HostileCall[] = [
  { call: "log", name: "1,000 lines", body: lines(1_200, `"line " + i`) },
  { call: "log", name: "1,000 lines of 1 K", body: lines(1_200, `"x".repeat(1000)`) },
  { call: "log", name: "lines of 64 K control characters", body: lines(20, `"\\u0001".repeat(65536)`) },
  { call: "log", name: "lines of 64 K odd Unicode", body: lines(20, `"\\ud800\\u2028".repeat(32768)`) },
  { call: "log", name: "a line of 20 M", body: `log("x".repeat(20000000));` },

  { call: "getKeyData", name: "key of 4 M", body: `TykGetKeyData("k".repeat(${MOST}), "a");` },
  {
    call: "getKeyData",
    name: "API id of 4 M, odd Unicode",
    body: `TykGetKeyData("k", "\\ud800€".repeat(${MOST / 2}));`,
  },
  { call: "getKeyData", name: "session of many members", body: `TykGetKeyData("many-members", "a");` },
  { call: "getKeyData", name: "session of one large text", body: `TykGetKeyData("large", "a");` },
  { call: "getKeyData", name: "session of odd Unicode", body: `TykGetKeyData("odd-unicode", "a");` },
  { call: "getKeyData", name: "session, deep", body: `TykGetKeyData("deep", "a");` },

  { call: "setKeyData", name: "key of 4 M", body: `TykSetKeyData("k".repeat(${MOST}), "{}", 1);` },
  { call: "setKeyData", name: "one text of 4 M", body: set(`'{"x":"' + "x".repeat(${MOST - 100}) + '"}'`) },
  {
    call: "setKeyData",
    name: "300,000 members",
    body: `${members(300_000, `'"' + i + '":1'`)} ${set(`"{" + m.join() + "}"`)}`,
  },
  {
    call: "setKeyData",
    name: "30,000 members",
    body: `${members(30_000, `'"' + i + '":1'`)} ${set(`"{" + m.join() + "}"`)}`,
  },
  { call: "setKeyData", name: "depth of 2 million", body: set(`'{"x":' + ${deep(2_000_000)} + "}"`) },
  { call: "setKeyData", name: "depth of 490", body: set(`'{"x":' + ${deep(490)} + "}"`) },
  {
    call: "setKeyData",
    name: "odd Unicode, 360 KB",
    body: set(`'{"x":"' + "\\u2028<\\ud800".repeat(50000) + '"}'`),
  },

  {
    call: "makeHttpRequest",
    name: "form of 150,000 fields",
    body: `${members(150_000, `'"k' + (i * 7919 % 150000) + '":"v"'`)} ${http(`'"FormData":{' + m.join() + "}"`)}`,
  },
  {
    call: "makeHttpRequest",
    name: "form of 3,900 fields, odd Unicode",
    body: `${members(3_900, `'"k€\\ud800' + (i * 7919 % 3900) + '":"v"'`)} ${http(`'"FormData":{' + m.join() + "}"`)}`,
  },
  {
    call: "makeHttpRequest",
    name: "form, a field of 1 M to escape",
    body: http(`'"FormData":{"a":"' + "!".repeat(1000000) + '"}'`),
  },
  {
    call: "makeHttpRequest",
    name: "form, a field of 340 K odd Unicode",
    body: http(`'"FormData":{"a":"' + "€".repeat(340000) + '"}'`),
  },
  {
    call: "makeHttpRequest",
    name: "100,000 headers",
    body: `${members(100_000, `'"k' + i + '":"v"'`)} ${http(`'"Headers":{' + m.join() + "}"`)}`,
  },
  {
    call: "makeHttpRequest",
    name: "1,600 headers",
    body: `${members(1_600, `'"k' + i + '":"v"'`)} ${http(`'"Headers":{' + m.join() + "}"`)}`,
  },
  {
    call: "makeHttpRequest",
    name: "header of 4 M odd Unicode",
    body: http(`'"Headers":{"a":"' + "€".repeat(${MOST - 200}) + '"}'`),
  },
  {
    call: "makeHttpRequest",
    name: "header of 1 M blanks",
    body: http(`'"Headers":{"a":"b' + " ".repeat(1000000) + 'b"}'`),
  },
  {
    call: "makeHttpRequest",
    name: "header of 60 K blanks",
    body: http(`'"Headers":{"a":"b' + " ".repeat(60000) + 'b"}'`),
  },
  {
    call: "makeHttpRequest",
    name: "header's name of 1 M",
    body: http(`'"Headers":{"' + "a-".repeat(500000) + '":""}'`),
  },
  {
    call: "makeHttpRequest",
    name: "header's name of 60 K",
    body: http(`'"Headers":{"' + "a-".repeat(30000) + '":""}'`),
  },
  {
    call: "makeHttpRequest",
    name: "method of 4 M",
    body: `TykMakeHttpRequest('{"Domain":"' + URL + '","Method":"' + "M".repeat(${MOST - 200}) + '"}');`,
  },
  { call: "makeHttpRequest", name: "URL of 3.5 M to escape", body: url(`"a%20€".repeat(700000)`) },
  { call: "makeHttpRequest", name: "URL of 60 K to escape", body: url(`"a%20€".repeat(12000)`) },
  { call: "makeHttpRequest", name: "query of 1 M blanks", body: url(`"?" + " ".repeat(1000000)`) },
  { call: "makeHttpRequest", name: "query of 60 K blanks", body: url(`"?" + " ".repeat(60000)`) },
  {
    call: "makeHttpRequest",
    name: "user information of 60 K",
    body: `TykMakeHttpRequest('{"Domain":"http://' + "%aa".repeat(20000) + "@" + HOST + '/"}');`,
  },
  {
    call: "makeHttpRequest",
    name: "host of 60 K",
    body: `TykMakeHttpRequest('{"Domain":"http://' + "a.".repeat(30000) + 'example/"}');`,
  },
  {
    call: "makeHttpRequest",
    name: "host of 5,000 odd characters",
    body: `var h = ""; for (var i = 0; i < 5000; i += 1) h += String.fromCharCode(0x4e00 + i * 3); TykMakeHttpRequest('{"Domain":"http://' + h + '/"}');`,
  },
  {
    call: "makeHttpRequest",
    name: "body of 4 M odd Unicode",
    body: http(`'"Body":"' + "€".repeat(${MOST - 200}) + '"'`),
  },
  {
    call: "makeHttpRequest",
    name: "body of 1 M escapes",
    body: http(`'"Body":"' + "\\\\u20ac".repeat(170000) + '"'`),
  },
  {
    call: "makeHttpRequest",
    name: "600,000 elements that mean nothing",
    body: `${members(600_000, "1")} ${http(`'"x":[' + m.join() + "]"`)}`,
  },
  { call: "makeHttpRequest", name: "depth of 2 million", body: http(`'"x":' + ${deep(2_000_000)}`) },
  { call: "makeHttpRequest", name: "depth of 1,900", body: http(`'"x":' + ${deep(1_900)}`) },
  {
    call: "makeHttpRequest",
    name: "a member 250,000 times",
    body: `${members(250_000, `'"Body":"x"'`)} ${http("m.join()")}`,
  },
  ...[
    ["plain", "/ascii"],
    ["of what HTML escapes", "/angles"],
    ["of quotes", "/quotes"],
    ["of control characters", "/controls"],
    ["that is not UTF-8", "/no-utf8"],
    ["of which half is not UTF-8", "/mixed"],
    ["of odd Unicode", "/wide"],
    ["with one header 12,000 times", "/one-header"],
    ["with 5,000 headers", "/many-headers"],
    ["that redirects for ever", "/round"],
  ].map(([what, path = ""]) => ({
    call: "makeHttpRequest" as const,
    name: `answer ${what}`,
    body: get(path),
  })),

  { call: "batchRequest", name: "80,000 requests", body: batch(to("/small"), 80_000) },
  {
    call: "batchRequest",
    name: "80,000 requests, name in other case",
    body: batch(to("/small"), 80_000, '"Reque\\u017ft\\u017f"'),
  },
  {
    call: "batchRequest",
    name: "80,000 requests, under two names",
    body: batch(to("/small"), 80_000, '"requests":[],"REQUESTS"'),
  },
  { call: "batchRequest", name: "1,300,000 empty requests", body: batch(`"{}"`, 1_300_000) },
  { call: "batchRequest", name: "2,000 requests", body: batch(to("/small"), 2_000) },
  {
    call: "batchRequest",
    name: "depth of 2 million",
    body: `TykBatchRequest('{"requests":' + ${deep(2_000_000)} + "}");`,
  },
  { call: "batchRequest", name: "50 requests", body: batch(to("/small"), 50) },
  {
    call: "batchRequest",
    name: "50 refused requests",
    body: batch(`'{"relative_url":"http://169.254.169.254/"}'`, 50),
  },
  {
    call: "batchRequest",
    name: "50 URLs of 20 K to escape",
    body: batch(`'{"relative_url":"' + URL + "/" + "a%20€".repeat(2500) + '"}'`, 50),
  },
  {
    call: "batchRequest",
    name: "50 URLs of 80 K to escape",
    body: batch(`'{"relative_url":"' + URL + "/" + "a%20€".repeat(16000) + '"}'`, 50),
  },
  { call: "batchRequest", name: "50 answers of 1 M", body: batch(to("/ascii"), 50) },
  { call: "batchRequest", name: "20 answers of 1 M that is not UTF-8", body: batch(to("/no-utf8"), 20) },

  { call: "storage", name: "key of 4 M odd Unicode", body: caught(`TykStorageGet("€".repeat(${MOST}));`) },
  {
    call: "storage",
    name: "value of 4 M odd Unicode",
    body: caught(`TykStorageSet("k", "€".repeat(${MOST}), 0);`),
  },
  { call: "storage", name: "value of 20 M", body: caught(`TykStorageSet("k", "x".repeat(20000000), 0);`) },
  {
    call: "storage",
    name: "value of 64 K escapes",
    body: `TykStorageSet("k", "\\u0001".repeat(65536), 0); TykStorageGet("k");`,
  },
  {
    call: "storage",
    name: "increment of 64 K digits",
    body: `TykStorageSet("n", "9".repeat(65536), 0); ${caught(`TykStorageIncr("n", 0);`)}`,
  },
];
