import { errorText } from "../../lib/errors.ts";
import { createTurns } from "../../lib/in-turn.ts";

/** A key in `dev`'s terminal and its action. */
export interface Key {
  key: string;
  does: string;
  press(): void | Promise<void>;
}

/** A terminal that reports each key. */
export type KeyInput = Pick<NodeJS.ReadStream, "setRawMode" | "resume" | "pause" | "on" | "off">;

const CTRL_C = "\u0003";

/** The line that lists the keys: `o open  s sample`. */
export const keysText = (keys: Key[]) => keys.map(({ key, does }) => `${key} ${does}`).join("  ");

/**
 * Runs the actions of pressed keys, one after the other. `interrupt`: Ctrl+C, for which a terminal in this mode does
 * not send a signal.
 */
export function followKeys(
  input: KeyInput,
  keys: Key[],
  { interrupt, onError }: { interrupt(): void; onError(text: string): void },
): () => void {
  const byKey = new Map(keys.map((each) => [each.key, each]));
  const inTurn = createTurns();
  function press(data: Buffer | string): void {
    for (const character of String(data)) {
      if (character === CTRL_C) interrupt();
      const key = byKey.get(character);
      if (!key) continue;
      inTurn(() => key.press()).catch((thrown: unknown) =>
        onError(`${key.key} ${key.does}: ${errorText(thrown)}`),
      );
    }
  }
  input.setRawMode(true);
  input.on("data", press);
  input.resume();
  return () => {
    input.off("data", press);
    input.setRawMode(false);
    input.pause();
  };
}
