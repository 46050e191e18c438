import { HOST_CALLS, type HostCallName, type Limits, type StopCode } from "./protocol.ts";

/** The host calls that one run may still make. */
export interface CallBudget {
  /** Counts a call; returns the code of the limit that it exceeds. */
  call(name: HostCallName): StopCode | undefined;
  /** Counts the requests of a batch, whose call has already been counted as one of them. */
  batch(requests: number): StopCode | undefined;
}

/** For one run. A call that exceeds a limit is counted too, so all later calls exceed it as well. */
export function createCallBudget(limits: Limits): CallBudget {
  const left = { http: limits.httpCalls, storage: limits.storageCalls, session: limits.sessionCalls };
  const spend = (kind: keyof typeof left, count: number): StopCode | undefined => {
    left[kind] -= count;
    return left[kind] < 0 ? `${kind}-calls` : undefined;
  };
  return {
    call: (name) => spend(HOST_CALLS[name], 1),
    batch: (requests) => spend("http", Math.max(0, requests - 1)),
  };
}
