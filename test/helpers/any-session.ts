/** Sessions of every kind, as JSON, including members that only a newer gateway has. */
import fc from "fast-check";

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const name = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
  fc.constantFrom("__proto__", "constructor", "10", "9", "key", "<&>"),
);
const count = fc.oneof(fc.integer(), fc.maxSafeInteger());
/** JSON's numbers that the table can hold. */
const number = fc
  .double({ noNaN: true, min: -9.9e125, max: 9.9e125 })
  .map((value) => (Math.abs(value) < 1e-130 ? 0 : value));
const texts = fc.array(text, { maxLength: 3 });
const flag = fc.boolean();

/** JSON of a few levels, with names that a table can hold. */
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof(text, number, count, flag, fc.constant(null)),
    fc.array(tie("json"), { maxLength: 3 }),
    fc.dictionary(name, tie("json"), { maxKeys: 3 }),
  ),
}));

/** Some of these members, and some unknown ones. */
function some<T extends object>(members: { [Name in keyof T]: fc.Arbitrary<T[Name]> }) {
  const unknown = fc.dictionary(
    name.map((given) => `new_${given}`),
    json,
    { maxKeys: 2 },
  );
  return fc
    .tuple(
      fc.record(members, { requiredKeys: [] }),
      fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, unknown),
    )
    .map(([known, others]) => ({ ...known, ...others }));
}

const smoothing = some({
  enabled: flag,
  threshold: count,
  trigger: number,
  step: count,
  delay: count,
}).map((given) => ({ ...given, enabled: true }));
const throttle = { throttle_interval: number, throttle_retry_limit: count, max_query_depth: count };
const quota = { quota_max: count, quota_renews: count, quota_remaining: count, quota_renewal_rate: count };
const rate = { rate: number, per: number, smoothing };
const method = { name: text, limit: some(rate) };
const methods = fc.array(some(method), { maxLength: 2 });
const types = fc.array(some({ name: text, fields: texts }), { maxLength: 2 });
const rules = some({ allowed: texts, blocked: texts });

const right = some({
  api_name: text,
  api_id: text,
  versions: texts,
  allowed_urls: fc.array(some({ url: text, methods: texts }), { maxLength: 2 }),
  restricted_types: types,
  allowed_types: types,
  limit: some({ ...rate, ...throttle, ...quota }),
  field_access_rights: fc.array(
    some({ type_name: text, field_name: text, limits: some({ max_query_depth: count }) }),
    { maxLength: 2 },
  ),
  disable_introspection: flag,
  allowance_scope: text,
  endpoints: fc.array(some({ path: text, methods }), { maxLength: 2 }),
  json_rpc_methods: methods,
  json_rpc_methods_access_rights: rules,
  mcp_primitives: fc.array(some({ type: text, ...method }), { maxLength: 2 }),
  mcp_access_rights: some({ tools: rules, resources: rules, prompts: rules }),
});

/** Every member that a gateway has in a session. */
export const MEMBERS = {
  last_check: count,
  allowance: number,
  rate: number,
  per: number,
  ...throttle,
  date_created: fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") })
    .map((date) => date.toISOString()),
  expires: count,
  ...quota,
  access_rights: fc.dictionary(name, right, { minKeys: 1, maxKeys: 3 }),
  org_id: text,
  oauth_client_id: text,
  oauth_keys: fc.dictionary(name, text, { maxKeys: 2 }),
  certificate: text,
  mtls_static_certificate_bindings: texts,
  basic_auth_data: some({ password: text, hash_type: text }),
  jwt_data: some({ secret: text }),
  hmac_enabled: flag,
  enable_http_signature_validation: flag,
  hmac_string: text,
  rsa_certificate_id: text,
  is_inactive: flag,
  apply_policy_id: text,
  apply_policies: texts,
  data_expires: count,
  monitor: some({ trigger_limits: fc.array(number, { maxLength: 2 }) }),
  enable_detail_recording: flag,
  enable_detailed_recording: flag,
  meta_data: fc.dictionary(name, json, { maxKeys: 3 }),
  tags: texts,
  alias: text,
  last_updated: fc.nat().map(String),
  id_extractor_deadline: count,
  session_lifetime: fc.integer({ min: 0, max: 1_000_000_000 }),
  post_expiry_action: fc.constantFrom("retain", "delete", ""),
  post_expiry_grace_period: count,
  smoothing,
};

/** Sessions with access rights, which every session has unless it gives access to all APIs. */
export const anySession: fc.Arbitrary<Record<string, unknown>> = fc
  .tuple(some(MEMBERS), MEMBERS.access_rights)
  .map(([session, access_rights]) => ({ ...session, access_rights }));
