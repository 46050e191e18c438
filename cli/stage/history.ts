import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { createDynamo, createS3 } from "../../functions/clients.ts";
import { AppError } from "../../lib/errors.ts";
import { type Filter, filterText, parseFilter, type Term, timeOf } from "../../lib/history/filter.ts";
import { createRedaction, type KeyRef } from "../../lib/history/redact.ts";
import type { HistoryReader } from "../../local/history-reader.ts";
import { connect } from "./connect.ts";
import { createTableReader, type Wanted } from "./history-table.ts";

/** A deployed stage of this folder's gatehook.json. */
export interface StageNamed {
  dir: string;
  stage: string;
  region?: string;
}

/** The history of a stage. */
export interface StageHistory {
  reader(wanted?: Wanted): HistoryReader;
  /** Reads the secret at the first call. */
  keyRef(key: string): Promise<string>;
  /** The filter with the references of keys in addition. */
  inRefs(filter: string): Promise<string>;
  dynamo: DynamoDBClient;
  table: string;
  ttlDays: number;
}

const opened = new Map<string, Promise<StageHistory>>();

/**
 * Opens a stage with the permissions of the caller, once for each stage. Throws `not-recorded` if it has no history.
 */
export function openStage(named: StageNamed): Promise<StageHistory> {
  const known = opened.get(named.stage) ?? connect(named, undefined).then(() => stageHistory(named.stage));
  opened.set(named.stage, known);
  return known;
}

/** Of the stage to which this process is connected. */
export function stageHistory(stage: string): StageHistory {
  const { env } = process;
  const { HISTORY_TABLE: table, HISTORY_BUCKET: bucket = "", HISTORY_TTL_DAYS: days } = env;
  if (!table)
    throw new AppError(
      "not-recorded",
      `the stage ${stage} records no events: its setting HISTORY is off, or it was deployed by an earlier version`,
    );
  const history = {
    dynamo: createDynamo(),
    s3: createS3(env),
    table,
    bucket,
    ttlDays: Number(days),
    now: Date.now,
  };
  let refs: Promise<KeyRef> | undefined;
  async function keyRef(key: string): Promise<string> {
    refs ??= readSecret(env.HISTORY_SECRET_ID).then((secret) => createRedaction(secret).keyRef);
    return (await refs)(key);
  }
  return {
    ...history,
    reader: (wanted) => createTableReader(history, wanted),
    keyRef,
    inRefs: async (filter) => filterText(await withRefs(parseFilter(filter, Date.now()).terms, keyRef)),
  };
}

async function readSecret(SecretId: string | undefined): Promise<string> {
  const client = new SecretsManagerClient();
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
    if (SecretString) return SecretString;
    throw new AppError("not-recorded", `the secret ${SecretId} has no text`);
  } finally {
    client.destroy();
  }
}

/** The history for a filter, and the filter with keys as they are recorded there. */
export async function filteredStage(
  named: StageNamed,
  filter: Filter,
): Promise<{ reader: HistoryReader; filter: Filter }> {
  const history = await openStage(named);
  const terms = await withRefs(filter.terms, history.keyRef);
  const valuesOf = (word: Term["word"]) =>
    terms.flatMap((term) => (term.word === word && !term.not ? term.value : []));
  const keys = valuesOf("key").filter((value) => REF.test(value));
  const times = valuesOf("since").map((value) => timeOf(value, Date.now()));
  return {
    filter: parseFilter(filterText(terms), Date.now()),
    reader: history.reader({
      ...(keys.length > 0 && { keys }),
      ...(times.length > 0 && { since: Math.max(...times) }),
      whole: filter.texts.length > 0,
    }),
  };
}

const REF = /^[0-9a-f]{16}$/;

/** Keys are recorded as references, which lists show, so a filter may contain either. */
async function withRefs(terms: Term[], keyRef: StageHistory["keyRef"]): Promise<Term[]> {
  const all = terms.map(async (term) =>
    term.word === "key" ? [term, { ...term, value: await keyRef(term.value) }] : [term],
  );
  return (await Promise.all(all)).flat();
}
