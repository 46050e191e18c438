// Every kind of item that the state table has, by its key `pk`: in one place, so that no two kinds can meet.

/** The live pointer. */
export const LIVE_RELEASE_KEY = "release";
/** The versions of all releases that are kept, the newest first. */
export const RELEASES_KEY = "releases";
/** The report of one version. */
export const releaseEntryKey = (version: string) => `release#${version}`;
/** What the invocations that one upload causes know of each other. */
export const NOTICES_KEY = "release-notices";

/** What is done of an event. */
export const ledgerKey = (identity: string) => `event#${identity}`;
/** The key of version 0.1, when an id counted for all APIs together. Its entries are still valid. */
export const oldLedgerKey = (id: string) => `event#${id}`;
// An API's id is not empty, so no identity begins with #.
/** Since when, in unix seconds, entries have the API in their key. */
export const SCOPED_KEY = ledgerKey("#scoped");
/** Written to find out whether any write is accepted. */
export const INNOCENT_KEY = ledgerKey("#innocent");

/** An entry of the scripts' key-value storage. */
export const storageKey = (key: string) => `store#${key}`;

/** By hash: that a webhook was delivered, that it is off, and until when an equal one is not sent. */
export const webhookDoneKey = (hash: string) => `webhook#done#${hash}`;
/** See `webhookDoneKey`. */
export const webhookOffKey = (hash: string) => `webhook#off#${hash}`;
/** See `webhookDoneKey`. */
export const webhookCooldownKey = (hash: string) => `webhook#cooldown#${hash}`;

/**
 * A window, one of its counters, and that an event was counted in it. The prefix is older than the name: another one
 * would lose the windows that are open during a deployment.
 */
export const windowKey = (window: string) => `storm#window#${window}`;
/** See `windowKey`. */
export const windowCounterKey = (window: string, counter: string) => `storm#count#${window}#${counter}`;
/** See `windowKey`. */
export const windowMarkKey = (mark: string) => `storm#mark#${mark}`;

/** How many sessions were found to be gone from the gateway in an hour since 1970. */
export const absencesKey = (hour: number) => `gateway#absences#${hour}`;
/** Says that the canary was made: the key by which a gateway without its keys is recognised. */
export const CANARY_KEY = "gateway#canary";
/** How far the comparison of both sides has come. */
export const RECONCILE_KEY = "gateway#reconcile";
