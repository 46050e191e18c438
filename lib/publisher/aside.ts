import { stat } from "node:fs/promises";
import { join } from "node:path";
import { withFile } from "./files.ts";

/** A file for what cannot be sent: one JSON object a line, for somebody to look at. */
export interface Aside {
  /** What it holds, in bytes. */
  bytes(): number;
  add(entry: Record<string, unknown>): Promise<void>;
}

export async function openAside(folder: string, name: "refused" | "damaged"): Promise<Aside> {
  const path = join(folder, `${name}.jsonl`);
  let bytes = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  return {
    bytes: () => bytes,
    async add(entry) {
      const line = Buffer.from(`${JSON.stringify(entry)}\n`);
      await withFile(path, "a", async (handle) => {
        await handle.appendFile(line);
        await handle.sync();
      });
      bytes += line.length;
    },
  };
}
