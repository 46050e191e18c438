import { DescribeTableCommand, ResourceNotFoundException } from "@aws-sdk/client-dynamodb";
import { createDynamo } from "../functions/clients.ts";
import { requiredGateway } from "../functions/gateway.ts";
import { text } from "../functions/settings.ts";
import { AppError } from "../lib/errors.ts";
import { connectGateway } from "../lib/gateway/client.ts";
import { createRows } from "../lib/gateway/rows.ts";
import type { FunctionSettingName } from "../lib/settings/function-settings.ts";

/** The gateway and the tables that the functions' own settings name. Throws setting-invalid, naming the one at fault. */
export async function openSessions() {
  const { env } = process;
  const options = requiredGateway(env);
  const dynamo = createDynamo();

  async function openTable(name: Extract<FunctionSettingName, `${string}_TABLE`>) {
    const table = text(env, name);
    try {
      const { Table } = await dynamo.send(new DescribeTableCommand({ TableName: table }));
      return { table, size: Table?.ItemCount ?? 0 };
    } catch (cause) {
      if (!(cause instanceof ResourceNotFoundException)) throw cause;
      throw new AppError("setting-invalid", `${name} is ${table}, but there is no such table`, { cause });
    }
  }

  const { table, size } = await openTable("SESSIONS_TABLE");
  return {
    options,
    gateway: connectGateway(options),
    dynamo,
    rows: createRows({ dynamo, table, now: Date.now }),
    /** Roughly. */
    size,
    openTable,
  };
}

export type OpenSessions = Awaited<ReturnType<typeof openSessions>>;
