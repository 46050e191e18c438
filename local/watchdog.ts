import { spawn } from "node:child_process";

/**
 * Ends a process when this one has ended, even by a SIGKILL or a crash, which run no exit handlers. Close it when that
 * process has ended.
 */
export function endWithThisProcess(pid: number): { close(): Promise<void> } {
  // `process.execPath` and no file, so that it is the same in a clone and in a bundle.
  const watchdog = spawn(process.execPath, ["-e", `(${watch})(${pid})`], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const ended = new Promise<void>((resolve) => {
    watchdog.once("exit", () => resolve());
    watchdog.once("error", () => resolve()); // it did not start, so only a clean exit ends that process
  });
  watchdog.unref();
  watchdog.channel?.unref();
  return {
    async close() {
      watchdog.ref();
      watchdog.kill("SIGKILL");
      await ended;
    },
  };
}

/** Runs as text in a process of its own: it cannot use anything of this module. */
function watch(pid: number): void {
  function send(signal: NodeJS.Signals | 0): void {
    try {
      process.kill(pid, signal);
    } catch {
      process.exit();
    }
  }
  // Ctrl-C in a terminal reaches it too.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  process.once("disconnect", () => {
    send("SIGTERM");
    setInterval(send, 20, 0);
    setTimeout(() => {
      send("SIGKILL");
      process.exit();
    }, 1_000);
  });
}
