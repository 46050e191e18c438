import { AppError } from "../errors.ts";
import { quote, sortedByBytes } from "../go/text.ts";
import type { SessionRow } from "../sessions/rows.ts";
import type { Place } from "../sessions/search.ts";
import type { KeyRequest, KeysDeps } from "./deps.ts";
import { json, type KeysReply, problem } from "./reply.ts";

/** What one answer holds. A gateway lists all that there is; a function that did so would end in the middle. */
export const MAX_KEYS = 10_000;
/** DynamoDB reads 1 MiB a page, so this is what one list costs at most. */
export const MAX_PAGES = 32;
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

/** Of an organisation by its index, of all by the table; throws where there are more than one answer holds. */
async function keysOf(
  { rows }: KeysDeps,
  orgId: string | undefined,
  isListed: (row: SessionRow) => boolean,
): Promise<string[]> {
  const keys: string[] = [];
  let bytes = 0;
  let after: Place | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { rows: found, next } = await rows.page({ orgId }, MAX_KEYS, after);
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
    `one answer lists at most ${MAX_KEYS} keys of at most ${MAX_PAGES} MiB of sessions, and there are more: list an ` +
      "organisation's keys with ?filter=ORG_ID, or page by page with GET /sessions?org_id=ORG_ID",
  );
