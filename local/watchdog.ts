import { spawn } from "node:child_process";

/**
 * Ends a process when this one has ended, in whatever way: a SIGKILL or a crash runs no handler here. Close it once
 * that process has ended.
 */
export function endWithThisProcess(pid: number): { close(): Promise<void> } {
  // `process.execPath` and no file, so that it is the same in a clone and in a bundle.
  const watchdog = spawn(process.execPath, ["-e", `(${watch})(${pid})`], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const ended = new Promise<void>((resolve) => {
    watchdog.once("exit", () => resolve());
    watchdog.once("error", () => resolve()); // it did not start, so only an orderly end ends that process
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

/** Runs in the process of its own, as text: it sees nothing of this module. */
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
