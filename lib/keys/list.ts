import { AppError } from "../errors.ts";
import { quote, sortedByBytes } from "../go/text.ts";
import type { SessionRow } from "../sessions/item.ts";
import type { Place } from "../sessions/search.ts";
import type { KeyRequest, KeysDeps } from "./deps.ts";
import { json, type KeysReply, problem } from "./reply.ts";

/** The limit of one answer. A gateway lists all keys; a function that did so would time out. */
export const MAX_KEYS = 10_000;
/** The maximum cost of one list in read units, plus one page: a list of 10,000 sessions of up to 4 KB costs less. */
export const MAX_UNITS = 6_000;
/** The number of rows that one request reads. */
const PAGE = 1_000;
/** Lambda's answers have at most 6 MiB. */
const MAX_BYTES = 4 * 1024 * 1024;

/** `GET /tyk/keys`: the names of the table, which may be hashes. */
export async function listKeys(deps: KeysDeps, { query }: Pick<KeyRequest, "query">): Promise<KeysReply> {
  const { api_id: apiId = "" } = query;
  if (apiId && !query.filter && !deps.hashFunction)
    return problem(
      400,
      "The 'filter' parameter (Org ID) is required when filtering by 'api_id' in legacy mode",
    );
  const isListed = ({ stored: { session } }: SessionRow) => {
    const rights = session?.access_rights;
    return apiId === "" || (rights ? Object.hasOwn(rights, apiId) : deps.allowMasterKeys);
  };
  const keys = await keysOf(deps, query.filter || query.org_id || undefined, isListed);
  return json(200, `{"keys":[${(apiId ? sortedByBytes(keys) : keys).map(quote).join()}]}`);
}

/**
 * Reads an organisation's keys from the index, all keys from the table; throws if there are more than one answer may
 * have.
 */
async function keysOf(
  { rows }: KeysDeps,
  orgId: string | undefined,
  isListed: (row: SessionRow) => boolean,
): Promise<string[]> {
  const keys: string[] = [];
  let bytes = 0;
  let spent = 0;
  let after: Place | undefined;
  while (spent < MAX_UNITS) {
    const { rows: found, next, units } = await rows.page({ orgId }, PAGE, after);
    spent += units;
    for (const { key } of found.filter(isListed)) {
      keys.push(key);
      bytes += Buffer.byteLength(key);
    }
    if (keys.length > MAX_KEYS || bytes > MAX_BYTES) break;
    if (!next) return keys;
    after = next;
  }
  throw tooMany();
}

const tooMany = () =>
  new AppError(
    "request-invalid",
    `one answer lists at most ${MAX_KEYS} keys and costs at most ${MAX_UNITS} read units, and there are more: list an ` +
      "organisation's keys with ?filter=ORG_ID, or page by page with GET /sessions?org_id=ORG_ID",
  );
