import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { neededMemoryMb } from "../../lib/consumer/memory.ts";
import { startStack } from "../../local/stack.ts";

describe("the memory of the consumer", () => {
  it("is what its workers may fill, and what it takes itself", () => {
    assert.equal(neededMemoryMb(1, 64), 238);
    assert.equal(neededMemoryMb(10, 64), 1_030);
  });

  it("is warned of at the start when it is too little", async () => {
    const { promise: warned, resolve } = Promise.withResolvers<Record<string, unknown>>();
    const stack = await startStack({
      port: 0,
      env: process.env,
      prefix: `test-${randomUUID().slice(0, 8)}`,
      settings: { RUNTIME_ISOLATION: "event", RUNTIME_WORKERS: "10" },
      consumerMemoryMb: 1_029,
      onLine(name, line) {
        if (name === "consumer" && line.includes("too little memory"))
          resolve(JSON.parse(line) as Record<string, unknown>);
      },
    });
    try {
      const { level, memory_mb, needed_mb, fix } = await warned;
      assert.deepEqual([level, memory_mb, needed_mb], ["WARN", 1_029, 1_030]);
      assert.match(String(fix), /consumerMemory/);
    } finally {
      await stack.close();
    }
  });
});
