import type { DebugLog } from "../../lib/log.ts";

/** A log that is discarded. */
export const NO_LOG: DebugLog = { debug() {}, info() {}, warn() {}, error() {} };
