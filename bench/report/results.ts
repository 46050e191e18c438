import { readFileSync } from "node:fs";
import type { CodecResult } from "../codec.ts";
import type { ColdStartResult } from "../coldstart.ts";
import type { ContentionResult } from "../contention.ts";
import type { CostResult } from "../cost.ts";
import type { IoResult } from "../io.ts";
import type { MemoryResult } from "../memory.ts";
import type { PipelineResult } from "../pipeline.ts";
import type { ProfileResult } from "../profile.ts";
import type { ReloadResult } from "../reload.ts";
import type { RuntimeResult } from "../runtime.ts";
import type { ScaleResult } from "../scale.ts";

export interface Results {
  pipeline: PipelineResult;
  profile: ProfileResult;
  codec: CodecResult;
  runtime: RuntimeResult;
  io: IoResult;
  coldstart: ColdStartResult;
  reload: ReloadResult;
  memory: MemoryResult;
  contention: ContentionResult;
  cost: CostResult;
  scale: ScaleResult;
}

/** The data of docs/performance.md. */
export interface Stored {
  /** The machine and the versions of the measurement. */
  machine: { node: string; cores: number; platform: string };
  /** The duration of the whole measurement, in seconds. */
  seconds: number;
  results: Results;
}

export const STORED = new URL("../results.json", import.meta.url);

export const readStored = (): Stored => JSON.parse(readFileSync(STORED, "utf8"));
