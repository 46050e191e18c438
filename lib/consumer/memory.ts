/**
 * The memory of the sandbox in addition to that of handlers, in MiB: the engine, and texts that are passed to and from
 * it.
 */
const SANDBOX_MB = 24;
/** The memory of the function without workers, in MB. Measured; each worker adds up to its limit. */
const FUNCTION_MB = 150;

/** The memory that the consumer may need, in MB. */
export const neededMemoryMb = (workers: number, workerMb: number) =>
  workers * (workerMb + SANDBOX_MB) + FUNCTION_MB;
