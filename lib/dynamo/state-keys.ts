// The key `pk` of every kind of item in the state table: in one place, so that the keys of two kinds cannot collide.

/** The live pointer. */
export const LIVE_RELEASE_KEY = "release";
/** The versions of all releases that are kept, the newest first. */
export const RELEASES_KEY = "releases";
/** The report of one version. */
export const releaseEntryKey = (version: string) => `release#${version}`;
/** The shared state of the invocations that one upload causes. */
export const NOTICES_KEY = "release-notices";

/** The ledger entry of an event. */
export const ledgerKey = (identity: string) => `event#${identity}`;
/** The key in version 0.1, where an id was shared by all APIs. Its entries are still valid. */
export const oldLedgerKey = (id: string) => `event#${id}`;
// An API's id is not empty, so no identity begins with #.
/** The time since which entries have the API in their key, in unix seconds. */
export const SCOPED_KEY = ledgerKey("#scoped");
/** The item that is written to find out whether the table accepts writes. */
export const INNOCENT_KEY = ledgerKey("#innocent");

/** An entry of the scripts' key-value storage. */
export const storageKey = (key: string) => `store#${key}`;

/**
 * By hash: the marks that a webhook was delivered, that it is off, and the time until which an equal one is not sent.
 */
export const webhookDoneKey = (hash: string) => `webhook#done#${hash}`;
/** See `webhookDoneKey`. */
export const webhookOffKey = (hash: string) => `webhook#off#${hash}`;
/** See `webhookDoneKey`. */
export const webhookCooldownKey = (hash: string) => `webhook#cooldown#${hash}`;

/**
 * A window, one of its counters, and the mark that an event was counted in it. The prefix is older than the name:
 * another one would lose the windows that are open during a deployment.
 */
export const windowKey = (window: string) => `storm#window#${window}`;
/** See `windowKey`. */
export const windowCounterKey = (window: string, counter: string) => `storm#count#${window}#${counter}`;
/** See `windowKey`. */
export const windowMarkKey = (mark: string) => `storm#mark#${mark}`;

/** The number of sessions that were found to be missing at the gateway in an hour, counted since 1970. */
export const absencesKey = (hour: number) => `gateway#absences#${hour}`;
/** The mark that the canary was made: the key by which a gateway that has lost its keys is recognised. */
export const CANARY_KEY = "gateway#canary";
/** The progress of the comparison of both sides. */
export const RECONCILE_KEY = "gateway#reconcile";
