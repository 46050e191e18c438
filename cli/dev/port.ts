import { AppError } from "../../lib/errors.ts";
import { liveStackIn } from "./local-stack.ts";

/** An error of the start, which says if another gatehook uses the port. */
export async function explainedBusyPort(thrown: unknown, port: number, dir: string): Promise<unknown> {
  if (!(thrown instanceof AppError)) return thrown;
  if ((thrown.cause as NodeJS.ErrnoException | undefined)?.code !== "EADDRINUSE") return thrown;
  const url = `http://127.0.0.1:${port}`;
  const other = await liveStackIn(dir);
  const who =
    other?.url === url
      ? `gatehook dev of this folder, process ${other.pid}`
      : (await isGatehook(url))
        ? "another gatehook dev"
        : undefined;
  if (!who) return thrown;
  const message =
    `port ${port} is in use by ${who}: end that one with Ctrl+C in its terminal, or choose another port with --port, ` +
    `for example --port ${port + 1}`;
  return new AppError("local-failed", message, { cause: thrown });
}

const ANSWER_MS = 1_000;

/** Whether the sessions API answers there: it rejects an unknown parameter. */
async function isGatehook(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/sessions?gatehook=`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const { error } = (await answer.json()) as { error?: { code?: unknown } };
    return error?.code === "request-invalid";
  } catch {
    return false;
  }
}
