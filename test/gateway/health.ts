import { json, problem, type Reply } from "./reply.ts";

const EVERY_MS = 10_000;

/** `/hello` and `/ready`: what the last of the checks found that are made every ten seconds. */
export interface Health {
  /** Makes the checks that are due by now. */
  catchUp(): void;
  hello(): Reply;
  ready(): Reply;
}

export function createHealth(deps: { now: () => number; isDownAt: (at: number) => boolean }): Health {
  const { now, isDownAt } = deps;
  let checked = now();
  let isDown = isDownAt(checked);

  function catchUp(): void {
    while (checked + EVERY_MS <= now()) {
      checked += EVERY_MS;
      isDown = isDownAt(checked);
    }
  }

  function report(description: string): Reply {
    const output = isDown ? '"output":"storage: Redis is either down or was not configured",' : "";
    const status = isDown ? "fail" : "pass";
    const time = `${new Date(checked).toISOString().slice(0, 19)}Z`;
    const redis = `{"status":"${status}",${output}"componentType":"datastore","time":"${time}"}`;
    const head = `"status":"${status}","version":"v5.5.0-dev","description":"${description}"`;
    return json(200, `{${head},"details":{"redis":${redis}}}`);
  }

  return {
    catchUp,
    hello() {
      catchUp();
      return report("Tyk GW");
    },
    ready() {
      catchUp();
      return isDown ? problem(503, "Redis connection not available") : report("Tyk GW Ready");
    },
  };
}
