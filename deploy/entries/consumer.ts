// What Lambda loads of the consumer. As one file it would load Node's own modules for the AWS SDK before its first
// line ran; so the sandbox's thread starts from a small one. `npm run bench:coldstart` has the figures.
import { warmRuntime } from "../../functions/warm-runtime.ts";

warmRuntime();

/** The Lambda entry of the consumer. */
export const { main } = await import("../../functions/consumer.ts");
