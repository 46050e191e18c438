import { AppError } from "../errors.ts";
import { type Entry, writtenAt } from "../sessions/forms.ts";
import { parseSession } from "../sessions/session.ts";
import type { Take } from "../sessions/take.ts";
import { formatWhole } from "../sessions/whole.ts";
import { isAsked } from "./asked.ts";
import type { Answer, Gateway } from "./client.ts";
import { creationName, fullName, readToken } from "./key-name.ts";
import { agree, type Members } from "./merge.ts";

export interface HandOverDeps {
  gateway: Pick<Gateway, "get" | "put" | "create" | "remove">;
  /** Whether rows are named by hashes: no key can be made under one. */
  hashed: boolean;
  /** Waits before each request that changes something; false when it is time to end. */
  pace: (count: number) => Promise<boolean>;
}

/** What `hash_key_function` can be, as far as it shows in a key's name. */
const FUNCTIONS = ["", "murmur64", "sha256", "murmur128"];

/** Makes the table's sessions keys of another gateway, never over one that is not older. */
export function createHandOver({ gateway, hashed, pace }: HandOverDeps): Take {
  /** The first key tells whether this gateway makes the names that the table has. */
  let isProven = false;

  return {
    read: async () => new Map(),
    async take(entry: Entry, key: string) {
      if (!isAsked(key))
        throw new AppError("request-invalid", "a gateway cannot be asked for a key of this form");
      const session = JSON.parse(formatWhole(entry.session)) as Members;
      const look = await gateway.get(key);
      if (look !== "missing") {
        if (agree(session, look.session)) return "unchanged";
        if ((entry.updatedAt ?? 0) <= (writtenAt(parseSession(look.text)) ?? 0)) return "kept";
        checkPassword(entry);
        if (!(await pace(1))) return "stopped";
        checkAnswer(await gateway.put(key, session, { reset: false }));
        return "replaced";
      }
      const name = nameToMake(entry, key);
      checkPassword(entry);
      if (!(await pace(1))) return "stopped";
      checkAnswer(await gateway.create(name, session));
      if (!isProven) await prove(key, name, entry.session.org_id ?? "");
      isProven = true;
      return "added";
    },
  };

  function nameToMake({ session }: Entry, key: string): string {
    if (hashed) throw new AppError("session-refused", "a key that is named by its hash cannot be made");
    const name = creationName(readToken(key)?.h ?? "", session.org_id ?? "", key);
    if (name === undefined) throw new AppError("session-refused", "no name makes this very key at a gateway");
    return name;
  }

  /** A key under another name than the table's would be one that nobody asked for. */
  async function prove(key: string, name: string, orgId: string): Promise<void> {
    if ((await gateway.get(key)) !== "missing") return;
    for (const hashKeyFunction of FUNCTIONS) {
      const made = fullName(hashKeyFunction, orgId, name);
      if (made !== key && (await gateway.get(made)) !== "missing") await gateway.remove(made, orgId);
    }
    throw new AppError(
      "dependency-failed",
      "the gateway makes another key of the table's first one, which was removed there again: its hash_key_function is not the one that the keys' names say",
    );
  }
}

/** Of what was sent the gateway would make a hash anew, and nobody could log in any more. */
function checkPassword({ session }: Entry): void {
  if (!session.basic_auth_data?.password) return;
  throw new AppError(
    "session-refused",
    "its password is a hash, which the gateway's API would hash again: take it there in the form redis",
    { field: "basic_auth_data.password" },
  );
}

function checkAnswer(answer: Answer): void {
  if (answer.kind === "done") return;
  const said = answer.kind === "missing" ? "the key is gone again" : `${answer.status} ${answer.message}`;
  throw new AppError("session-refused", `the gateway did not take it: ${said}`);
}
