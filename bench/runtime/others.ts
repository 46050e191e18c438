// The same scripts in other sandboxes: V8 contexts of node:vm, which according to Node's documentation are not a
// security mechanism, and isolates of isolated-vm, if it is installed. Both have a small replacement of the gateway's
// API.
import vm from "node:vm";
import type { Script } from "../../lib/runtime/protocol.ts";
import { SESSION, sampleRun } from "../sample.ts";
import type { OneRun } from "./sandboxes.ts";

const SHIM = `var TykJS = { TykEventHandlers: { NewEventHandler: function () {
  this.NewHandler = function (run) { this.run = run; };
} } };
function runText(handler, event, context) { globalThis[handler].run(JSON.parse(event), JSON.parse(context)); }
`;
const TIMEOUT_MS = 5_000;
const MEMORY_MB = 64;

const codeOf = (scripts: Script[]) => [SHIM, ...scripts.map(({ source }) => source)].join("\n");
const { handler, event, context: facts } = sampleRun(TIMEOUT_MS);

/** The part of the gateway's API that the sample handlers use. */
function createApi() {
  const seen = { written: 0 };
  return {
    seen,
    calls: {
      log() {},
      TykGetKeyData: () => SESSION,
      TykSetKeyData() {
        seen.written += 1;
      },
    },
  };
}

function written({ written }: { written: number }, before: number): void {
  if (written !== before + 1) throw new Error("the handler did not write its session");
}

export function nodeVm(scripts: Script[], { fresh }: { fresh: boolean }): OneRun {
  const code = new vm.Script(codeOf(scripts));
  const call = new vm.Script(
    `runText(${[handler, event, facts].map((text) => JSON.stringify(text)).join(", ")})`,
  );
  const { seen, calls } = createApi();
  const make = () => {
    const context = vm.createContext({ ...calls });
    code.runInContext(context);
    return context;
  };
  const warm = fresh ? undefined : make();
  return async () => {
    const before = seen.written;
    call.runInContext(warm ?? make(), { timeout: TIMEOUT_MS });
    written(seen, before);
  };
}

/**
 * Undefined if it is not installed: `npm install --no-save isolated-vm@7` installs it for Node 24. It is not a
 * dependency, because on platforms without a prebuilt binary `npm ci` would have to compile it, and could fail.
 */
export async function loadIsolatedVm(): Promise<IsolatedVm | undefined> {
  // In a variable, so that the compiler does not need its types.
  const name = "isolated-vm";
  return import(name).then(
    (module) => module.default as IsolatedVm,
    () => undefined,
  );
}

/** The used part of isolated-vm. */
export interface IsolatedVm {
  Isolate: new (options: {
    memoryLimit: number;
  }) => {
    compileScriptSync(code: string): { runSync(context: IsolatedContext): unknown };
    createContextSync(): IsolatedContext;
  };
  Callback: new (run: () => unknown) => object;
}

interface IsolatedContext {
  global: {
    setSync(name: string, value: object): void;
    getSync(name: string, options: { reference: true }): IsolatedFunction;
  };
  release(): void;
}

interface IsolatedFunction {
  applySync(self: undefined, args: string[], options: { timeout: number }): unknown;
  release(): void;
}

export function isolatedVm(ivm: IsolatedVm, scripts: Script[], { fresh }: { fresh: boolean }): OneRun {
  const isolate = new ivm.Isolate({ memoryLimit: MEMORY_MB });
  const code = isolate.compileScriptSync(codeOf(scripts));
  const { seen, calls } = createApi();
  const make = () => {
    const context = isolate.createContextSync();
    for (const [name, run] of Object.entries(calls)) context.global.setSync(name, new ivm.Callback(run));
    code.runSync(context);
    return { context, run: context.global.getSync("runText", { reference: true }) };
  };
  const warm = fresh ? undefined : make();
  return async () => {
    const before = seen.written;
    const { context, run } = warm ?? make();
    run.applySync(undefined, [handler, event, facts], { timeout: TIMEOUT_MS });
    if (fresh) {
      run.release();
      context.release();
    }
    written(seen, before);
  };
}
