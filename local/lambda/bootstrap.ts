// Runs one function as AWS Lambda does: requests an invocation from the Runtime API, calls `main`, posts the answer.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
import { pathToFileURL } from "node:url";

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, _HANDLER = "" } = process.env;
const api = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;

const post = (path: string, body: unknown) =>
  fetch(`${api}${path}`, { method: "POST", body: JSON.stringify(body ?? null) });

function errorReport(thrown: unknown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? "").split("\n") };
}

type Main = (payload: unknown, context: object) => Promise<unknown>;

/** `_HANDLER` is `functions/consumer.main`: the module without its ending, a dot, the export. */
async function loadMain(): Promise<Main> {
  const dot = _HANDLER.lastIndexOf(".");
  const path = `${LAMBDA_TASK_ROOT}/${_HANDLER.slice(0, dot)}${process.env.GATEHOOK_MODULE_ENDING ?? ".mjs"}`;
  const module = (await import(pathToFileURL(path).href)) as Record<string, Main | undefined>;
  const main = module[_HANDLER.slice(dot + 1)];
  if (!main) throw new Error(`${path} exports no ${_HANDLER.slice(dot + 1)}`);
  return main;
}

async function serve(main: Main): Promise<never> {
  for (;;) {
    const next = await fetch(`${api}/invocation/next`);
    const requestId = next.headers.get("lambda-runtime-aws-request-id") ?? "";
    const deadline = Number(next.headers.get("lambda-runtime-deadline-ms"));
    const context = {
      awsRequestId: requestId,
      functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
      functionVersion: "$LATEST",
      invokedFunctionArn: next.headers.get("lambda-runtime-invoked-function-arn"),
      memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
    try {
      await post(`/invocation/${requestId}/response`, await main(await next.json(), context));
    } catch (thrown) {
      await post(`/invocation/${requestId}/error`, errorReport(thrown));
    }
  }
}

// The channel closes when the parent ends, so that no function outlives the stack.
process.on("disconnect", () => process.exit(0));
try {
  await serve(await loadMain());
} catch (thrown) {
  await post("/init/error", errorReport(thrown)).catch(() => {});
  process.exit(1);
}
