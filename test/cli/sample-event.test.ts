// What `gatehook dev` sends, and what it says of the session afterwards.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOf, sampleMeta } from "../../cli/dev/sample-meta.ts";
import { changedMembers } from "../../cli/terminal/session-changes.ts";

const WHOM = { apiId: "orders", orgId: "shop", key: "orders-key" };

const OF_REQUEST = "Message,OriginatingRequest,Path,Origin,Key";
const OF_BREAKER = "Message,OriginatingRequest,Path,APIID,CircuitEvent";
const OF_HOST = "Message,OriginatingRequest,HostInfo";
const OF_TOKEN = "Message,OriginatingRequest,Org,Key";
const PLAIN = "Message,OriginatingRequest";

/** The members of the gateway's own events, in its order, and whose key they have. */
const EVENTS: Record<string, [members: string, key: string | undefined]> = {
  AuthFailure: [OF_REQUEST, "orders-key"],
  KeyExpired: [OF_REQUEST, "orders-key"],
  QuotaExceeded: [OF_REQUEST, "orders-key"],
  RatelimitExceeded: [OF_REQUEST, "orders-key"],
  RateLimitSmoothingUp: [OF_REQUEST, "orders-key"],
  RateLimitSmoothingDown: [OF_REQUEST, "orders-key"],
  OrgQuotaExceeded: [OF_REQUEST, "shop"],
  OrgRateLimitExceeded: [OF_REQUEST, "shop"],
  VersionFailure: [`${OF_REQUEST},Reason`, undefined],
  BreakerTriggered: [OF_BREAKER, undefined],
  BreakerTripped: [OF_BREAKER, undefined],
  BreakerReset: [OF_BREAKER, undefined],
  HostDown: [OF_HOST, undefined],
  HostUp: [OF_HOST, undefined],
  CertificateExpiringSoon: [
    "Message,OriginatingRequest,cert_id,cert_name,expires_at,days_remaining,api_id,cert_role",
    undefined,
  ],
  CertificateExpired: [
    "Message,OriginatingRequest,cert_id,cert_name,expired_at,days_since_expiry,api_id,cert_role",
    undefined,
  ],
  UpstreamOAuthError: ["Message,OriginatingRequest,APIID", undefined],
  OAuth2ScopeCheckFailed: [
    "granted_scopes,method,oauth2_api_id,oauth2_subject_azp,oauth2_subject_jti,path,required_alternatives,required_scopes",
    undefined,
  ],
  OAuth2ExchangeSucceeded: [
    "oauth2_api_id,oauth2_exchange_cache_hit,oauth2_exchange_outcome,oauth2_provider",
    undefined,
  ],
  OAuth2ExchangeFailed: [
    "oauth2_api_id,oauth2_exchange_cache_hit,oauth2_exchange_outcome,oauth2_idp_error,oauth2_provider",
    undefined,
  ],
  TriggerExceeded: ["Message,OriginatingRequest,org_id,key,trigger_limit,usage_percentage", "orders-key"],
  TokenCreated: [OF_TOKEN, "orders-key"],
  TokenUpdated: [OF_TOKEN, "orders-key"],
  TokenDeleted: [OF_TOKEN, "orders-key"],
  AnythingOfAPlugin: [PLAIN, undefined],
};

describe("the sample event", () => {
  for (const [type, [members, key]] of Object.entries(EVENTS))
    it(`has the members that the gateway sends (${type})`, () => {
      const meta = sampleMeta(type, WHOM);
      assert.equal(Object.keys(meta).join(), members);
      assert.equal(keyOf(meta), key);
    });

  it("is a plugin's, where its type is only a member of every object", () => {
    assert.equal(Object.keys(sampleMeta("constructor", WHOM)).join(), PLAIN);
  });

  it("has a request that a handler can decode", () => {
    const { OriginatingRequest, Path } = sampleMeta("KeyExpired", { ...WHOM, apiId: "a b/c" });
    assert.equal(Path, "/a%20b%2Fc/get");
    assert.equal(
      Buffer.from(String(OriginatingRequest), "base64").toString(),
      "GET /a%20b%2Fc/get HTTP/1.1\r\nHost: gateway.example\r\nUser-Agent: curl/8\r\nAuthorization: orders-key\r\n\r\n",
    );
  });

  it("is about no key where the API has no organisation", () => {
    assert.equal(keyOf(sampleMeta("OrgQuotaExceeded", { ...WHOM, orgId: "" })), undefined);
  });
});

describe("what changed of a session", () => {
  const session = { rate: 5, access_rights: { a: { api_id: "a", versions: ["Default"] } } };

  it("is nothing when all is as it was", () => {
    assert.equal(changedMembers(session, structuredClone(session)), undefined);
    assert.equal(changedMembers(undefined, undefined), undefined);
  });

  it("is each member that changed, came or went, those of maps by themselves", () => {
    const after = { rate: 6, tags: ["x"], access_rights: { a: { api_id: "a", versions: ["v2"] } } };
    assert.deepEqual(changedMembers({ ...session, alias: "me" }, after), {
      before: 'rate 5, access_rights.a.versions ["Default"], alias "me", tags not there',
      after: 'rate 6, access_rights.a.versions ["v2"], alias not there, tags ["x"]',
    });
  });

  it("is the whole session when a handler made or deleted it", () => {
    assert.deepEqual(changedMembers(undefined, session), { before: "not there", after: "there" });
    assert.deepEqual(changedMembers(session, undefined), { before: "there", after: "not there" });
  });

  it("is cut where it would fill the screen", () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, nth) => [`m${nth}`, "y".repeat(500)]));
    const { after = "" } = changedMembers({}, { meta_data: many }) ?? {};
    assert.ok(after.length < 100, after);
    const { after: members = "" } =
      changedMembers({ meta_data: { a: 1 } }, { meta_data: { a: 1, ...many } }) ?? {};
    assert.match(members, /^meta_data\.m0 "y{10,}…, .*, 14 more$/);
    assert.ok(members.length < 600, members);
  });
});
