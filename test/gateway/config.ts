import type { Draft } from "./draft.ts";

/** Of a gateway's tyk.conf what the model knows, by its own names; the last one stands in `local_session_cache`. */
export interface GatewayConfig {
  /** What `X-Tyk-Authorization` has to be. */
  secret: string;
  hash_keys: boolean;
  /** Empty for none. */
  hash_key_function: string;
  enable_hashed_keys_listing: boolean;
  allow_master_keys?: boolean;
  disable_cached_session_state: boolean;
  apis: ApiDefinition[];
  policies: Policy[];
}

/** Of an API definition what the model uses; the rest of it is only shown by `GET /tyk/apis/{id}`. */
export interface ApiDefinition {
  api_id: string;
  org_id: string;
  /** Seconds; 0 for ever. */
  session_lifetime: number;
  /** Else keys are presented in `Authorization` as they are. */
  use_basic_auth?: boolean;
  dont_set_quota_on_create?: boolean;
  /** With a slash at its end. */
  proxy: { listen_path: string };
  [member: string]: unknown;
}

export type AccessRights = NonNullable<Draft["access_rights"]>;
export type AccessRight = AccessRights[string];
export type Limit = NonNullable<AccessRight["limit"]>;

export interface Policy {
  id: string;
  org_id: string;
  rate: number;
  /** Seconds. */
  per: number;
  /** -1 for unlimited. */
  quota_max: number;
  /** Seconds. */
  quota_renewal_rate: number;
  access_rights: AccessRights;
  tags?: string[];
  meta_data?: Record<string, unknown>;
  is_inactive?: boolean;
  /** Seconds that a key made under this policy lives. */
  key_expires_in?: number;
  /** Which of its parts the policy decides; all of them where this names none. */
  partitions?: { acl?: boolean; quota?: boolean; rate_limit?: boolean; per_api?: boolean };
}

/** A gateway with one API of this organisation, whose keys are not hashed; `changes` make another of it. */
export const plainConfig = (orgId: string, changes: Partial<GatewayConfig> = {}): GatewayConfig => ({
  secret: "a-secret-of-tests",
  hash_keys: false,
  hash_key_function: "",
  enable_hashed_keys_listing: true,
  disable_cached_session_state: false,
  apis: [{ api_id: "api1", org_id: orgId, session_lifetime: 0, proxy: { listen_path: "/api1/" } }],
  policies: [],
  ...changes,
});
