// The tests' gateway in its own thread, with this number of keys, so that its work does not count as the client's.
import { parentPort, workerData } from "node:worker_threads";
import { plainConfig } from "../../test/gateway/config.ts";
import { startGateway } from "../../test/gateway/server.ts";

const { secret, org, keys, latencyMs } = workerData as {
  secret: string;
  org: string;
  keys: number;
  latencyMs: number;
};
const { url, gateway } = await startGateway({
  now: Date.now,
  latencyMs,
  config: plainConfig(org, { secret, disable_cached_session_state: true }),
});
const body = JSON.stringify({
  org_id: org,
  rate: 100,
  per: 60,
  quota_max: -1,
  access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
  meta_data: { plan: "basic" },
});
for (let nth = 0; nth < keys; nth += 1)
  gateway.request({
    method: "POST",
    path: `/tyk/keys/${org}key${nth}`,
    headers: { "X-Tyk-Authorization": secret },
    body,
  });
gateway.requests.length = 0;
parentPort?.postMessage(url);
