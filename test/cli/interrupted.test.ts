// Ctrl-C and kills of `gatehook dev`, at every stage of its way: nothing is left running, and the exit code says why.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EMBEDDED, groupOf, runCli } from "../helpers/cli.ts";

type Signal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Terminals send Ctrl-C to all of a command's processes, `kill` to one. */
type To = "command" | "group";

async function interrupt(signal: Signal, to: To, when: (child: ChildProcess) => Promise<void>, cwd: string) {
  let sent: Promise<void> | undefined;
  const result = await runCli(["dev", "--port", "0"], {
    cwd,
    env: EMBEDDED,
    onStart(child) {
      sent = when(child).then(() => {
        process.kill(to === "group" ? -(child.pid ?? 0) : (child.pid ?? 0), signal);
      });
    },
  });
  await sent;
  return result;
}

/** Before its own code runs, a signal ends it by the system's default: shells make the same number of that. */
const exitCode = ({ code, signal }: { code: number | null; signal: NodeJS.Signals | null }) =>
  code ?? 128 + constants.signals[signal ?? "SIGKILL"];

/** The command, its engine, the engine's watchdog, then a process a function. */
const processes = (count: number) => async (child: ChildProcess) => {
  while (groupOf(child.pid ?? 0).size < count) await delay(5);
};

const output = (text: string) => (child: ChildProcess) =>
  new Promise<void>((resolve) => {
    let seen = "";
    child.stdout?.on("data", (chunk) => {
      seen += chunk;
      if (seen.includes(text)) resolve();
    });
  });

const ENDLESS = `var h = new TykJS.TykEventHandlers.NewEventHandler({});
h.NewHandler(function () { for (;;) {} });`;

describe("gatehook dev, interrupted", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
    await Promise.all(["apis", "handlers"].map((name) => mkdir(join(folder, name))));
    const trigger = { handler_name: "eh_dynamic_handler", handler_meta: { name: "h", path: "h.js" } };
    const definition = { api_id: "demo", event_handlers: { events: { KeyExpired: [trigger] } } };
    await writeFile(join(folder, "apis/demo.json"), JSON.stringify(definition));
    await writeFile(join(folder, "handlers/h.js"), ENDLESS);
  });
  after(() => rm(folder, { recursive: true }));

  const starts: [Signal, To, number][] = [
    ["SIGINT", "command", 1],
    ["SIGINT", "group", 2],
    ["SIGTERM", "command", 2],
    ["SIGINT", "command", 3],
    ["SIGHUP", "group", 4],
    ["SIGINT", "group", 5],
    ["SIGTERM", "group", 6],
    ["SIGINT", "command", 7],
  ];
  for (const [signal, to, count] of starts) {
    it(`${signal} to the ${to} when it has ${count} processes ends the start`, async () => {
      const result = await interrupt(signal, to, processes(count), folder);
      assert.equal(result.leftovers, false);
      assert.deepEqual([exitCode(result), result.stderr], [128 + constants.signals[signal], ""]);
    });
  }

  for (const to of ["command", "group"] as const) {
    it(`SIGINT to the ${to} while a handler that never ends has the sample event`, async () => {
      const result = await interrupt("SIGINT", to, output("queued"), folder);
      assert.equal(result.leftovers, false);
      assert.deepEqual([exitCode(result), result.stderr], [130, ""]);
    });

    it(`SIGINT to the ${to} when it is up is its end: exit code 0`, async () => {
      const result = await interrupt("SIGINT", to, output("Ctrl+C"), ".");
      assert.equal(result.leftovers, false);
      assert.deepEqual([exitCode(result), result.stderr], [0, ""]);
    });
  }
});
