// Asks for one invocation, as Lambda's own runtime client does, and says what it answered; with a fourth word also
// when what was done, in ms since this process began.
const begun = performance.now();
const [, , index, batch, traced] = process.argv;
const calls = [];
if (traced) {
  const { subscribe } = process.getBuiltinModule("node:diagnostics_channel");
  const open = new Map();
  const nameOf = (request) =>
    String(request.getHeader("x-amz-target") ?? "S3.GetObject").replace(/^.*\./, "");
  subscribe("http.client.request.start", ({ request }) => open.set(request, performance.now()));
  subscribe("http.client.response.finish", ({ request }) => {
    calls.push({ name: nameOf(request), from: open.get(request), to: performance.now() });
  });
}
const { main } = await import(index);
const loaded = performance.now();
const context = { getRemainingTimeInMillis: () => 30_000 };
const answer = await main(JSON.parse(batch), context);
const trace = traced && { begun, loaded, calls, ended: performance.now() };
process.stdout.write(`\n${JSON.stringify({ ...answer, ...(trace && { trace }) })}`, () => process.exit(0));
