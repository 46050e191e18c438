import { list } from "../functions/settings.ts";
import { createEgress } from "../lib/egress/client.ts";
import type { LiveHttp } from "../lib/history/replay-host.ts";
import { batchRequest, makeHttpRequest } from "../lib/tyk-api/http.ts";
import { devSettings } from "./dev/settings.ts";
import { readProject } from "./project.ts";

/** Sends real requests, to the hosts that the stack of this folder allows. */
export async function openLiveHttp(dir: string): Promise<{ live: LiveHttp; close(): Promise<void> }> {
  const { settings } = devSettings(await readProject(dir), process.env, {});
  const egress = createEgress({
    allowHosts: list(settings, "HTTP_ALLOW_HOSTS"),
    howToAllow: (host) => `to allow it, add ${host} to HTTP_ALLOW_HOSTS`,
    maxResponseBytes: 1_048_576,
  });
  return {
    live: {
      makeHttpRequest: (request, run) => makeHttpRequest(request, { egress, ...run }),
      batchRequest: (request, run) => batchRequest(request, { egress, ...run }),
    },
    close: () => egress.close(),
  };
}
