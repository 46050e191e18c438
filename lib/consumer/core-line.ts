/** What the gateway's own core script logs at each run of a handler. */
export const CORE_LINE = "Calling built - in handle";
