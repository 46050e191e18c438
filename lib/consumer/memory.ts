/** What the sandbox takes beside what handlers may fill, in MiB: the engine, and texts on their way across. */
const SANDBOX_MB = 24;
/** What the function takes without any worker, in MB. Measured; a full worker adds what it may fill. */
const FUNCTION_MB = 150;

/** The memory that the consumer may need, in MB. */
export const neededMemoryMb = (workers: number, workerMb: number) =>
  workers * (workerMb + SANDBOX_MB) + FUNCTION_MB;
