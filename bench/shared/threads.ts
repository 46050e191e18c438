import { readdirSync, readFileSync } from "node:fs";

const TASKS = "/proc/self/task";

/** The processor time of the sandboxes' threads in nanoseconds; 0 if the system does not report it. */
export function sandboxTime(): number {
  let sum = 0;
  try {
    for (const task of readdirSync(TASKS)) {
      if (!readFileSync(`${TASKS}/${task}/comm`, "utf8").startsWith("WorkerThread")) continue;
      sum += Number(readFileSync(`${TASKS}/${task}/schedstat`, "utf8").split(" ")[0]);
    }
  } catch {
    // A thread that ended between the two reads, or a system without these files.
  }
  return sum;
}
