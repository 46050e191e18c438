import { stat } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, TO_APPEND, withFile } from "./files.ts";

/** A file for events that cannot be sent: one JSON object on each line, for people to inspect and delete. */
export interface Aside {
  /** Its size when it was last measured, in bytes. */
  bytes(): number;
  /** Measures it. */
  measure(): Promise<void>;
  add(entry: Record<string, unknown>): Promise<void>;
}

/**
 * The file is created with its first entry; `add` resolves when the entry is on disk. Throws file-system errors
 * unchanged.
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
