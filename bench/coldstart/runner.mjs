// Requests one invocation, as Lambda's own runtime client does, and prints its answer. With a fourth argument, also
// prints when each step was done, in ms since this process began, and the processor time of each thread.
const begun = performance.now();
const [, , index, batch, traced] = process.argv;
const trace = traced ? await startTrace() : undefined;
const { main } = await import(index);
trace?.add({ before: "the function's modules are loaded" });
const context = { getRemainingTimeInMillis: () => 30_000 };
const answer = await main(JSON.parse(batch), context);
trace?.add({ before: "work to the answer" });
const told = { ...answer, ...(trace && { trace: await trace.end() }) };
process.stdout.write(`\n${JSON.stringify(told)}\n`, () => process.exit(0));

/**
 * Records what is visible from outside: HTTP requests, the compilation of QuickJS, and messages between the threads.
 */
async function startTrace() {
  const builtin = process.getBuiltinModule;
  const marks = [];
  const add = ({ name, before, from = performance.now() }) =>
    marks.push({ name, before, from, to: performance.now() });

  const open = new Map();
  const nameOf = (request) =>
    String(request.getHeader("x-amz-target") ?? "S3.GetObject").replace(/^.*\./, "");
  const { subscribe } = builtin("node:diagnostics_channel");
  subscribe("http.client.request.start", ({ request }) => open.set(request, performance.now()));
  subscribe("http.client.response.finish", ({ request }) => {
    const name = nameOf(request);
    add({ name, before: `work before ${name}`, from: open.get(request) });
  });

  WebAssembly.Module = class extends WebAssembly.Module {
    constructor(bytes) {
      const from = performance.now();
      super(bytes);
      add({ name: "QuickJS is compiled", before: "what starts the sandbox's thread is loaded", from });
    }
  };
  const threads = builtin("node:worker_threads");
  threads.Worker = class extends threads.Worker {
    #loading = 0;
    constructor(...args) {
      const from = performance.now();
      super(...args);
      add({ name: "the sandbox's thread is started", before: "work before that", from });
      this.on("message", ({ type }) => {
        if (type !== "loaded") return;
        const before = "the release is read and checked";
        add({ name: "the thread is ready and loads the scripts", before, from: this.#loading });
      });
    }
    postMessage(message, ...rest) {
      if (message.type === "load") this.#loading = performance.now();
      super.postMessage(message, ...rest);
    }
  };

  async function end() {
    const noted = [...marks]; // without the marks of this file itself
    const ms = ({ user, system }) => (user + system) / 1_000;
    const [all, main] = [ms(process.cpuUsage()), ms(process.threadCpuUsage())];
    const { sandboxTime } = await import("../shared/threads.ts");
    return { begun, marks: noted, cpu: { all, main, sandbox: sandboxTime() / 1e6 } };
  }
  return { add, end };
}
