/** Resolves at the first Ctrl+C or kill, so that a command ends in order; the second one ends it at once. */
export function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

/** The same for work that asks whether to go on. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  void nextSignal().then(() => controller.abort());
  return controller.signal;
}
