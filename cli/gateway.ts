import { createDynamo } from "../functions/clients.ts";
import { requiredGateway } from "../functions/gateway.ts";
import { proveMarks } from "../functions/prove-marks.ts";
import { isSet } from "../functions/settings.ts";
import { AppError } from "../lib/errors.ts";
import { connectGateway } from "../lib/gateway/client.ts";
import { createRows } from "../lib/gateway/rows.ts";
import { openTable } from "./stage/open-table.ts";

/** Opens the gateway and the tables of the functions' settings. Throws `setting-invalid` with the setting. */
export async function openSessions() {
  const { env } = process;
  if (!isSet(env, "GATEWAY_URL"))
    throw new AppError(
      "setting-invalid",
      "no gateway owns these sessions: GATEWAY_URL is not set (docs/gateway-sync.md says how one comes to own them)",
    );
  const options = requiredGateway(env);
  const dynamo = createDynamo();

  const { table, size } = await openTable(dynamo, "SESSIONS_TABLE");
  return {
    options,
    gateway: connectGateway(options),
    dynamo,
    rows: createRows({ dynamo, table, proveMarks: (marks) => proveMarks(env, dynamo)(marks), now: Date.now }),
    /** Roughly. */
    size,
  };
}

/** The caller closes `gateway`. */
export type OpenSessions = Awaited<ReturnType<typeof openSessions>>;
