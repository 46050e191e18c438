/** An event as the gateway's webhook sends it. */
export interface GatewayEvent {
  /** Whose event handlers get it; undefined for the gateway's own, those of tyk.conf. */
  api?: string;
  Type: string;
  Meta: Record<string, unknown>;
  TimeStamp: string;
}

export type Fire = (type: string, meta: Record<string, unknown>, api?: string) => void;

/** Go's text of a time in UTC. */
export function timeStamp(at: number): string {
  const [day, time = ""] = new Date(at).toISOString().split("T");
  return `${day} ${time.replace(/\.?0*Z$/, "")} +0000 UTC`;
}

export const tokenMeta = (message: string, orgId: string, key: string) => ({
  Message: message,
  OriginatingRequest: "",
  Org: orgId,
  Key: key,
});
