// npm run test:artifact: what ships, as it ships. The functions run from their zips in an empty folder, by the names,
// roles and environment of the compiled template, behind Lambda's Runtime API.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import type { Artifact } from "../../deploy/package.ts";
import { writeService } from "../../deploy/service.ts";
import { packageWith } from "../helpers/service.ts";
import { alarmSuite } from "./alarms.ts";
import { functionSuite } from "./functions.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { permissionSuite } from "./permissions.ts";
import { sessionSuite } from "./session-functions.ts";
import { startSuite } from "./starts.ts";
import { templateSuite } from "./template.ts";
import { startWorld, type World } from "./world.ts";

describe("the artifact", () => {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-artifact-"));
  let gateway: Gateway;
  let artifact: Artifact;
  let world: World;

  before(async () => {
    const stage = `test-${crypto.randomUUID().slice(0, 8)}`;
    gateway = await startGateway();
    await writeService(folder, { name: "gatehook", version: "1.2.3", parameters: {}, stages: {} });
    artifact = await packageWith(folder, stage, { GATEWAY_URL: gateway.url });
    world = await startWorld(artifact, gateway);
  });

  after(async () => {
    await world?.close();
    await gateway?.close();
    rmSync(folder, { recursive: true });
  });

  templateSuite(() => artifact, folder);
  functionSuite(() => world);
  sessionSuite(() => world);
  startSuite(() => world);
  permissionSuite(() => world);
  alarmSuite(
    () => artifact.template,
    () => world,
  );
});
