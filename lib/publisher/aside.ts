import { stat } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, TO_APPEND, withFile } from "./files.ts";

/** A file for what cannot be sent: one JSON object a line, for people to look at and to remove. */
export interface Aside {
  /** What it held when it was looked at last, in bytes. */
  bytes(): number;
  /** Looks at it. */
  measure(): Promise<void>;
  add(entry: Record<string, unknown>): Promise<void>;
}

/**
 * The file is made with its first entry; `add` resolves once the disk has it. File-system errors come through as they
 * are.
 */
export async function openAside(folder: string, name: "refused" | "damaged"): Promise<Aside> {
  const path = join(folder, `${name}.jsonl`);
  let bytes = 0;
  const aside: Aside = {
    bytes: () => bytes,
    async measure() {
      bytes = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
    },
    async add(entry) {
      await withFile(path, TO_APPEND, async (handle) => {
        await handle.appendFile(`${JSON.stringify(entry)}\n`);
        await handle.sync();
      });
      await syncFolder(folder);
      await aside.measure();
    },
  };
  await aside.measure();
  return aside;
}
