import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settingsOf } from "./function-settings.ts";
import type { World } from "./world.ts";

export function startSuite(world: () => World): void {
  describe("a packaged function that is set up wrong", () => {
    /** What Lambda shows for a start that failed. */
    async function startError(name: string, changes: Record<string, string | undefined>): Promise<string> {
      const container = await world().deployed(name).start(changes);
      try {
        await container.invoke({});
        return "";
      } catch (thrown) {
        return (thrown as Error).message;
      } finally {
        await container.close();
      }
    }

    const oneLine = (name: string) =>
      new RegExp(`^environment variable ${name} is [^\\n]*\\. It is [^\\n]+, for example [^\\n]+$`);

    it("stops with one line that tells the variable which is missing", async () => {
      const told = async (name: string) => {
        const required = settingsOf(name).filter(({ fallback }) => fallback === undefined);
        assert.ok(required.length > 0);
        for (const { name: variable } of required)
          assert.match(await startError(name, { [variable]: undefined }), oneLine(variable), name);
      };
      await Promise.all([...world().functions.keys()].map(told));
    });

    it("stops with one line for a value that it cannot use", async () => {
      const bad = { HANDLER_TIMEOUT_MS: "5s", RUNTIME_ISOLATION: "process", ALLOW_MASTER_KEYS: "yes" };
      for (const [variable, value] of Object.entries(bad))
        assert.match(await startError("consumer", { [variable]: value }), oneLine(variable));
      assert.match(await startError("ingest", { INGEST_TOKEN: "short" }), /fewer than 16 characters/);
      const secret = "a-secret-of-the-key-api";
      const together = await startError("sessions", { KEYS_API_SECRET: secret });
      assert.match(together, oneLine("KEYS_API_SECRET"));
      assert.match(together, /together with GATEWAY_URL/);
      assert.ok(!together.includes(secret));
    });
  });
}
