import { openSessionsApi } from "../functions/sessions-api.ts";
import { flag } from "../functions/settings.ts";
import { broughtState } from "../lib/gateway/change.ts";
import { createEntryName } from "../lib/gateway/entry-name.ts";
import { createFill } from "../lib/gateway/fill.ts";
import { withRowsReadThrough } from "../lib/gateway/read-through.ts";
import { createRows } from "../lib/gateway/rows.ts";
import type { RateLimit } from "../lib/rate-limit.ts";
import type { ImportDeps } from "../lib/sessions/import.ts";
import { changedByWriter } from "../lib/sessions/item.ts";
import { createTake } from "../lib/sessions/take.ts";
import { callerArn } from "./stage/connect.ts";
import type { OpenRows } from "./stage/open-table.ts";
import { QUIET } from "./terminal/quiet.ts";

type Target = Pick<ImportDeps, "take" | "whenKept" | "nameOf">;

const chance = { now: Date.now, random: Math.random };

const namesOf = ({ hashFunction, owner, nameOf }: OpenRows, areHashes: boolean) =>
  createEntryName({ hashFunction, hasGateway: owner !== undefined, nameOf, areHashes });

/** The table, for sessions from the gateway that owns them. */
export function copyTarget(open: OpenRows, pace: RateLimit): Target {
  const gatewayRows = createRows({ ...open, now: Date.now });
  return {
    take: createFill({ rows: open.rows, gatewayRows, pace, random: Math.random }),
    whenKept: "the row differs: gateway-sync is to make it as the gateway has it",
    nameOf: namesOf(open, false),
  };
}

/** The table, for sessions from elsewhere, with the rules of a put over the API. */
export function tableTarget(
  open: OpenRows,
  pace: RateLimit,
  options: { areHashes: boolean; dryRun: boolean },
): Target {
  const { env } = process;
  const { complete } = openSessionsApi(env, QUIET);
  const { readMany } = complete ? withRowsReadThrough(open.rows, complete, chance) : open.rows;
  const isHashed = open.hashFunction !== undefined;
  return {
    take: createTake({
      rows: { readMany, put: options.dryRun ? async () => true : open.rows.put },
      stateOf: open.owner && ((read, entry) => broughtState(read, entry, { isHashed, now: Date.now() })),
      allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
      changedBy: changedByWriter("import", callerArn()),
      proveMarks: options.dryRun ? async () => {} : open.proveMarks,
      pace,
      ...chance,
    }),
    whenKept: "the table has another session of this key, which is not older",
    nameOf: namesOf(open, options.areHashes),
  };
}
