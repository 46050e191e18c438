/** Milliseconds of the machine's monotonic clock: the same in all threads of the process, unlike performance.now(). */
export function clockMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
