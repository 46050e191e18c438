import type { DebugLog } from "../../lib/log.ts";

/** A log that nobody reads. */
export const NO_LOG: DebugLog = { debug() {}, info() {}, warn() {}, error() {} };
