import type * as go from "../go/decode.ts";

/** The decoders for a session: for the usual case, or for every case. */
export type Kit = Pick<
  typeof go,
  | "any"
  | "boolean"
  | "float"
  | "integer"
  | "invalid"
  | "lean"
  | "list"
  | "map"
  | "pointer"
  | "string"
  | "struct"
>;

/** A session: the members that a gateway knows, in the order in which it prints them. */
export function sessionShape(kit: Kit) {
  const { any, boolean, float, integer, lean, list, map, pointer, string, struct } = kit;
  const time = timeOf(kit);
  const strings = list(string);
  const pace = { enabled: boolean, threshold: integer, trigger: float, step: integer, delay: integer };
  const throttle = { throttle_interval: float, throttle_retry_limit: integer, max_query_depth: integer };
  const quota = {
    quota_max: integer,
    quota_renews: integer,
    quota_remaining: integer,
    quota_renewal_rate: integer,
  };
  const anySmoothing = pointer(struct(pace));
  const smoothing: typeof anySmoothing = (value) => {
    const decoded = anySmoothing(value);
    return decoded?.enabled ? decoded : null; // gateways omit it while it is off
  };
  const rateLimit = { rate: float, per: float, smoothing };
  const graphTypes = list(struct({ name: string, fields: strings }));
  const fieldRight = { type_name: string, field_name: string, limits: lean({ max_query_depth: integer }) };
  const method = { name: string, limit: lean(rateLimit) };
  const rules = lean({ allowed: strings, blocked: strings });

  const accessRight = lean({
    api_name: string,
    api_id: string,
    versions: strings,
    allowed_urls: list(struct({ url: string, methods: strings })),
    restricted_types: graphTypes,
    allowed_types: graphTypes,
    limit: lean({ ...rateLimit, ...throttle, ...quota }),
    field_access_rights: list(lean(fieldRight)),
    disable_introspection: boolean,
    allowance_scope: string,
    endpoints: list(lean({ path: string, methods: list(lean(method)) })),
    json_rpc_methods: list(lean(method)),
    json_rpc_methods_access_rights: rules,
    mcp_primitives: list(lean({ type: string, ...method })),
    mcp_access_rights: lean({ tools: rules, resources: rules, prompts: rules }),
  });

  return lean({
    last_check: integer,
    allowance: float,
    rate: float,
    per: float,
    ...throttle,
    date_created: time,
    expires: integer,
    ...quota,
    access_rights: map(accessRight),
    org_id: string,
    oauth_client_id: string,
    oauth_keys: map(string),
    certificate: string,
    mtls_static_certificate_bindings: strings,
    basic_auth_data: lean({ password: string, hash_type: string }),
    jwt_data: lean({ secret: string }),
    hmac_enabled: boolean,
    enable_http_signature_validation: boolean,
    hmac_string: string,
    rsa_certificate_id: string,
    is_inactive: boolean,
    apply_policy_id: string,
    apply_policies: strings,
    data_expires: integer,
    monitor: lean({ trigger_limits: list(float) }),
    enable_detail_recording: boolean,
    enable_detailed_recording: boolean,
    meta_data: map(any),
    tags: strings,
    alias: string,
    last_updated: string,
    id_extractor_deadline: integer,
    session_lifetime: integer,
    post_expiry_action: string,
    post_expiry_grace_period: integer,
    smoothing,
  });
}

const ZERO_TIME = "0001-01-01T00:00:00Z";

/** A time as Go prints it, on a day that every month has: it matches most times, and is fast. */
const PRINTED_TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{0,8}[1-9])?(?:Z|[+-](?!00:00)(?:[01]\d|2[0-3]):[0-5]\d)$/;

const TIME =
  /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** An RFC 3339 time as Go reads and prints it: to the nanosecond, without trailing zeros. */
function timeOf({ string, invalid }: Kit): go.Decoder<string> {
  return (value = null) => {
    if (value === null || value === ZERO_TIME) return "";
    if (typeof value === "string" && PRINTED_TIME.test(value)) return value;
    const [text, day = "", fraction = "", zone = ""] = TIME.exec(string(value)) ?? [];
    const exists = new Date(day).toJSON()?.startsWith(day); // Date treats February 30 as March 2
    if (text === undefined || !exists) throw invalid("expected a time such as 2026-08-01T10:00:00Z");
    const nanoseconds = fraction
      .slice(0, 10)
      .replace(",", ".")
      .replace(/\.?0*$/, "");
    const printed = `${text.slice(0, 19)}${nanoseconds}${zone.endsWith("00:00") ? "Z" : zone}`;
    return printed === ZERO_TIME ? "" : printed;
  };
}
