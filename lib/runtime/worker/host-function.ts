import type { QuickJSContext, QuickJSHandle } from "quickjs-emscripten";
import type { StopCode } from "../protocol.ts";

/** What a script gets of a host call, or why the run must end here. */
export type HostAnswer = { text: string | undefined } | { stop: StopCode };

/** What the scripts can reach of the host: text in, text or nothing out, synchronously. */
export type HostCall = (name: string, args: string[]) => HostAnswer;

/** The one function of the host inside the sandbox. Its `null` tells the prelude to wait for the end. */
export function newHostFunction(
  context: QuickJSContext,
  hostCall: HostCall,
  onStop: (code: StopCode) => void,
): QuickJSHandle {
  return context.newFunction("hostCall", (...handles) => {
    const [name = "", ...args] = handles.map((handle) => context.getString(handle));
    // A name that is empty is one that could not be copied.
    const answer: HostAnswer = name
      ? hostCall(name, args.filter(Boolean).map(parseText))
      : { stop: "memory" };
    if ("text" in answer)
      return answer.text === undefined ? context.undefined : context.newString(answer.text);
    onStop(answer.stop);
    return context.null;
  });
}

/** Texts cross as JSON: as a plain string one would end at its first NUL. */
const parseText = (json: string) => JSON.parse(json) as string;
