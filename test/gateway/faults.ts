/** What can be wrong with a gateway, or with the way to it. */
export type Fault =
  /** Its Redis does not answer: nothing is found, nothing is written, in the same words as if nothing were there. */
  | { kind: "store-down" }
  | { kind: "unreachable" }
  /** It answers late; what was asked takes effect all the same. */
  | { kind: "slow"; ms: number }
  /** Its secret is another one than it was. */
  | { kind: "wrong-secret" }
  /** Something before it sends everybody elsewhere. */
  | { kind: "redirect"; to: string }
  /** Something before it answers with a page of its own. */
  | { kind: "html"; status: number }
  /** The connection breaks after so many bytes of the body; what was asked took effect. */
  | { kind: "cut"; bytes: number };

/** What is wrong at a time, in unix ms. */
export type FaultPlan = (at: number) => Fault[];

export const always =
  (...faults: Fault[]): FaultPlan =>
  () =>
    faults;

/** Wrong for one period, well for the next; it starts with a wrong one, at `from`. */
export const flapping =
  (from: number, periodMs: number, ...faults: Fault[]): FaultPlan =>
  (at) =>
    at >= from && Math.floor((at - from) / periodMs) % 2 === 0 ? faults : [];
