import {
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceNotFoundException,
} from "@aws-sdk/client-dynamodb";
import { createDynamo } from "../../functions/clients.ts";
import { gatewayOptions } from "../../functions/gateway.ts";
import { hashFunction, keyName } from "../../functions/key-names.ts";
import { proveMarks } from "../../functions/prove-marks.ts";
import { text } from "../../functions/settings.ts";
import { AppError } from "../../lib/errors.ts";
import type { ProveMarks } from "../../lib/sessions/item.ts";
import { createSessionRows } from "../../lib/sessions/rows.ts";
import type { FunctionSettingName } from "../../lib/settings/function-settings.ts";

/** The table of a setting, with its approximate size. Throws setting-invalid if it does not exist. */
export async function openTable(
  dynamo: Pick<DynamoDBClient, "send">,
  name: Extract<FunctionSettingName, `${string}_TABLE`>,
): Promise<{ table: string; size: number; bytes: number }> {
  const table = text(process.env, name);
  try {
    const { Table } = await dynamo.send(new DescribeTableCommand({ TableName: table }));
    return { table, size: Table?.ItemCount ?? 0, bytes: Table?.TableSizeBytes ?? 0 };
  } catch (cause) {
    if (!(cause instanceof ResourceNotFoundException)) throw cause;
    throw new AppError("setting-invalid", `${name} is ${table}, but there is no such table`, { cause });
  }
}

/** The sessions table of the functions' settings, by the names of its rows. */
export async function openSessionRows() {
  const { env } = process;
  const dynamo = createDynamo();
  const { table, size, bytes } = await openTable(dynamo, "SESSIONS_TABLE");
  const hashes = hashFunction(env);
  return {
    dynamo,
    table,
    size,
    bytes,
    // Opened when needed, since few commands need the other table.
    proveMarks: ((marks) => proveMarks(env, dynamo)(marks)) satisfies ProveMarks,
    rows: createSessionRows({ dynamo, table, now: Date.now, random: Math.random }),
    /** The hash function of its rows' names; "" if they have raw keys. */
    hashed: hashes ?? "",
    hashFunction: hashes,
    nameOf: keyName(env),
    /** The gateway that owns the sessions. */
    owner: gatewayOptions(env),
  };
}

/** An open sessions table; `size` and `bytes` are DynamoDB's counts, which are up to some hours old. */
export type OpenRows = Awaited<ReturnType<typeof openSessionRows>>;
