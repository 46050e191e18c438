import { fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { FromContainer, Measured, Side, Slice } from "../container/protocol.ts";

export type { Measured, Side, Slice };

const ENTRY = new URL("../container/container.ts", import.meta.url).pathname;

export interface Container {
  run(slice: Slice): Promise<Measured>;
  close(): Promise<void>;
}

/** Starts a process with this consumer; `env` is its whole environment except for the path. */
export async function startContainer(side: Side, env: Record<string, string>): Promise<Container> {
  const folder = mkdtempSync(`${tmpdir()}/gatehook-bench-`);
  const log = openSync(`${folder}/stdout`, "a+");
  const child = fork(ENTRY, [side, `${folder}/stdout`], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const exited = once(child, "exit");

  async function answer(): Promise<FromContainer> {
    const stop = new AbortController();
    const ended = exited.then(([code]) => {
      const said = readFileSync(`${folder}/stdout`, "utf8").slice(-2_000);
      throw new Error(`the container of ${side} ended with ${code}: ${said}`);
    });
    try {
      const [message] = await Promise.race([once(child, "message", { signal: stop.signal }), ended]);
      if ("failed" in message) throw new Error(message.failed);
      return message;
    } finally {
      stop.abort();
    }
  }

  await answer();
  return {
    async run(slice) {
      const answered = answer();
      child.send(slice);
      const message = await answered;
      if (!("measured" in message)) throw new Error("the container answered something else");
      return message.measured;
    },
    async close() {
      if (child.connected) child.disconnect();
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}
