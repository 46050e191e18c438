import assert from "node:assert/strict";
import { describe, it } from "node:test";
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

    it("stops with one line for each variable that the template has to set", async () => {
      for (const { name, required } of world().functions.values()) {
        assert.ok(required.length > 0);
        const errors = await Promise.all(
          required.map(async (variable) => [variable, await startError(name, { [variable]: undefined })]),
        );
        for (const [variable = "", error = ""] of errors) assert.match(error, oneLine(variable), name);
      }
    });

    it("stops with one line for a value that it cannot use", async () => {
      const bad = { HANDLER_TIMEOUT_MS: "5s", RUNTIME_ISOLATION: "process", ALLOW_MASTER_KEYS: "yes" };
      for (const [variable, value] of Object.entries(bad))
        assert.match(await startError("consumer", { [variable]: value }), oneLine(variable));
      assert.match(await startError("ingest", { INGEST_TOKEN: "short" }), /fewer than 16 characters/);
    });
  });
}
