import type { LookupAddress } from "node:dns";
import { lookup as dnsLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { AppError } from "../errors.ts";
import type { AddressPolicy, Destination } from "./addresses.ts";

/** All addresses of a name. */
export type Lookup = (host: string) => Promise<LookupAddress[]>;

/**
 * Returns the addresses of a host, all of them checked. Rejects with `http-refused`, with `http-failed` if the name has
 * no address, or with the error of the lookup or the signal.
 */
export type Resolve = (destination: Destination, signal: AbortSignal) => Promise<LookupAddress[]>;

/**
 * Finds the addresses to connect to, each checked. One forbidden address is enough to reject the name, which cannot be
 * trusted then.
 */
export function createResolver(deps: {
  policy: AddressPolicy;
  timeoutMs: number;
  lookup: Lookup | undefined;
}): Resolve {
  const lookup = deps.lookup ?? ((host) => dnsLookup(host, { all: true }));
  return async (destination, signal) => {
    signal.throwIfAborted();
    const { host } = destination;
    const family = isIP(host);
    const soon = AbortSignal.any([signal, AbortSignal.timeout(deps.timeoutMs)]);
    const addresses = family === 0 ? await beforeAbort(lookup(host), soon) : [{ address: host, family }];

    for (const { address } of addresses) deps.policy.check(destination, address);
    if (addresses.length === 0) throw new AppError("http-failed", `${host}: the name has no address`);
    return addresses;
  };
}

/** A lookup for net.connect that does not query DNS again, since the answer may have changed (DNS rebinding). */
export function pinnedTo(addresses: LookupAddress[]): LookupFunction {
  return (_host, options, answer) => {
    if (options.all) answer(null, addresses);
    else answer(null, addresses[0]?.address ?? "", addresses[0]?.family);
  };
}

/** A lookup cannot be cancelled; this stops waiting for it. */
function beforeAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop(); // its event has already been fired
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
