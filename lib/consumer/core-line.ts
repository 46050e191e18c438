/** The log line of the gateway's own core script at each run of a handler. */
export const CORE_LINE = "Calling built - in handle";
