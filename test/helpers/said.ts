import type { ChildProcess } from "node:child_process";

/** What a process says from now on, once it is said. */
export function reader(child: ChildProcess) {
  let said = "";
  let heard = () => {};
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => {
      said += chunk;
      heard();
    });
  return async (words: RegExp) => {
    for (;;) {
      const found = words.exec(said);
      if (found) {
        said = said.slice(found.index + found[0].length);
        return;
      }
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
}
