import { rollBack } from "../../lib/releases/rollback.ts";
import { openReleaseStore } from "../stage/release-store.ts";
import { printText } from "../terminal/print.ts";

/** `gatehook rollback`: makes an earlier release live again. */
export async function rollback(version: string | undefined): Promise<void> {
  const { from, to } = await rollBack(openReleaseStore(), version, Date.now);
  printText(`release ${to} is live again, in place of ${from}`);
  printText("the bucket still holds what was uploaded last: the next upload that differs from it goes live");
}
