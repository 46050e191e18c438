import type { QuickJSHandle } from "quickjs-emscripten";
import type { StopCode } from "../protocol.ts";
import type { Instance } from "./instance.ts";

/** The result of a host call, or the reason why the run must end here. */
export type HostAnswer = { text: string | undefined } | { stop: StopCode };

/** The only function of the host for scripts: text in, text or nothing out, synchronously. */
export type HostCall = (name: string, args: string[]) => HostAnswer;

/** The one function of the host inside the sandbox. `null` tells the prelude to wait for the end of the run. */
export function newHostFunction(
  { context, failedAllocations }: Pick<Instance, "context" | "failedAllocations">,
  hostCall: HostCall,
  onStop: (code: StopCode) => void,
): QuickJSHandle {
  return context.newFunction("hostCall", (...handles) => {
    const before = failedAllocations();
    const [name = "", ...args] = handles.map((handle) => context.getString(handle));
    // A text that could not be copied is empty, like a missing argument: the next one must not take its place.
    const answer: HostAnswer =
      failedAllocations() > before ? { stop: "memory" } : hostCall(name, args.filter(Boolean).map(parseText));
    if ("text" in answer)
      return answer.text === undefined ? context.undefined : context.newString(answer.text);
    onStop(answer.stop);
    return context.null;
  });
}

/** Texts are passed as JSON, since a plain string would end at its first NUL. */
const parseText = (json: string) => JSON.parse(json) as string;
