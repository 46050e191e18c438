import { errorText } from "../errors.ts";
import type { Change } from "./changes.ts";
import type { Answer, Gateway } from "./gateway.ts";
import { isAddressable } from "./key-name.ts";

/**
 * How the gateway took a change. `refused`: asking again makes no sense. `failed`: another time it may be taken.
 * The status is that of the gateway's answer, 0 when there was none or it was not asked.
 */
export interface Verdict extends Answer {
  kind: "taken" | "refused" | "failed";
}

export async function ask({ key, orgId, action }: Change, gateway: Gateway): Promise<Verdict> {
  if (action.operation === "unfit") return { kind: "refused", status: 0, message: action.error };
  if (!isAddressable(key))
    return { kind: "refused", status: 0, message: "the gateway's API cannot name this key" };
  try {
    const asked = action.operation === "put" ? gateway.put(key, action.session, orgId) : undefined;
    const answer = await (asked ?? gateway.remove(key, orgId));
    return { kind: kindOf(answer), ...answer };
  } catch (thrown) {
    return { kind: "failed", status: 0, message: errorText(thrown) };
  }
}

/** Whether the gateway itself decided this change, so that it is there for others too. */
export const isDecided = ({ kind, status, message }: Verdict) =>
  kind === "taken" || (kind === "refused" && status > 0 && message !== "");

export const textOf = ({ status, message }: Verdict) =>
  status === 0 ? message : `the gateway answered ${status} ${message}`.trimEnd();

/** What these tell is about the secret, the address or the load, not about the change. */
const REPEATED = new Set([401, 403, 405, 407, 408, 425, 429]);

/**
 * A gateway answers 500 both while its store is away and for a session whose policy does not exist, in the same
 * words; and an address that is wrong answers 404 too, but not in the gateway's form.
 */
function kindOf({ status, message }: Answer): Verdict["kind"] {
  if (status >= 200 && status < 300) return "taken";
  if (status === 404) return message === "" ? "failed" : "refused";
  return status >= 400 && status < 500 && !REPEATED.has(status) ? "refused" : "failed";
}
