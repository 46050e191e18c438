import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import {
  applySet,
  blankPassword,
  formatSession,
  keepPassword,
  MISS,
  parseSession,
  type Session,
} from "../../lib/sessions/session.ts";

const EXAMPLE =
  '{"allowance":1000,"rate":1000,"per":60,"date_created":"2026-08-01T10:00:00.123456789Z","expires":1798761600,' +
  '"quota_max":10000,"quota_renews":1787400000,"quota_remaining":9958,"quota_renewal_rate":3600,"access_rights":' +
  '{"api1":{"api_name":"Orders","api_id":"api1","versions":["Default"],"limit":{"rate":100,"per":60,"quota_max":1000,' +
  '"quota_renews":1787400000,"quota_remaining":1000,"quota_renewal_rate":3600},"allowance_scope":"api1"}},' +
  '"org_id":"o1","apply_policies":["pol1"],"meta_data":{"plan":"gold"},"tags":["edge"],"alias":"acme",' +
  '"last_updated":"1787396400"}';

/** The members that a gateway up to 5.11 printed although they are zero. */
const OLD_ZEROS = {
  last_check: 0,
  max_query_depth: 0,
  date_created: "0001-01-01T00:00:00Z",
  access_rights: {
    api1: { api_id: "", versions: null, allowed_urls: null, limit: { rate: 0, smoothing: null } },
  },
  oauth_keys: null,
  basic_auth_data: { password: "", hash_type: "" },
  jwt_data: { secret: "" },
  hmac_enabled: false,
  monitor: { trigger_limits: null },
  meta_data: {},
  tags: [],
  smoothing: null,
};

const again = (text: string) => formatSession(parseSession(text));

function invalid(text: string, field: string) {
  assert.throws(() => parseSession(text), { name: "AppError", code: "session-invalid", field }, text);
}

describe("the text of a session", () => {
  it("is {} for an empty session", () => {
    assert.equal(formatSession({}), "{}");
    for (const text of ["{}", "null", '{"rate":0,"tags":[],"meta_data":{},"unknown":1}'])
      assert.equal(again(text), "{}");
  });

  it("has the members in the gateway's order, whatever order they were given in", () => {
    const given: Session = { org_id: "org123", per: 60, rate: 100 };
    assert.equal(formatSession(given), '{"rate":100,"per":60,"org_id":"org123"}');
    const reversed = (value: unknown): unknown =>
      value && typeof value === "object" && !Array.isArray(value)
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([name, member]) => [name, reversed(member)]),
          )
        : value;
    assert.equal(formatSession(reversed(JSON.parse(EXAMPLE)) as Session), EXAMPLE);
  });

  it("comes back the same from a new gateway and without zeros from an old one", () => {
    assert.equal(again(EXAMPLE), EXAMPLE);
    assert.equal(again(JSON.stringify(OLD_ZEROS)), '{"access_rights":{"api1":{}}}');
    assert.equal(again(JSON.stringify({ ...OLD_ZEROS, ...JSON.parse(EXAMPLE) })), EXAMPLE);
  });

  it("sorts what is a map by bytes, numbers among the names too", () => {
    const text =
      '{"access_rights":{"2":{},"10":{}},"meta_data":{"\u{1f600}":1,"\uff5e":{"b":1,"9":2,"10":3},"__proto__":4}}';
    assert.equal(
      again(text),
      '{"access_rights":{"10":{},"2":{}},"meta_data":{"__proto__":4,"\uff5e":{"10":3,"9":2,"b":1},"\u{1f600}":1}}',
    );
  });

  it("escapes what Go escapes, and prints numbers as Go does", () => {
    assert.equal(
      again(
        '{"rate":100.0,"per":1e-7,"allowance":1e21,"meta_data":{"<a>":"&\\u2028\\u2029\\u007f\\u0001\\b","n":2.0}}',
      ),
      '{"allowance":1e+21,"rate":100,"per":1e-7,' +
        '"meta_data":{"\\u003ca\\u003e":"\\u0026\\u2028\\u2029\u007f\\u0001\\b","n":2}}',
    );
  });

  it("holds smoothing in full when it is enabled, and not at all when it is not", () => {
    assert.equal(
      again('{"smoothing":{"enabled":true,"step":5}}'),
      '{"smoothing":{"enabled":true,"threshold":0,"trigger":0,"step":5,"delay":0}}',
    );
    assert.equal(again('{"smoothing":{"enabled":false,"step":5}}'), "{}");
  });

  it("keeps the whole of an access right", () => {
    const right =
      '{"allowed_urls":[{"url":"/a","methods":["GET"]},{"url":"/b","methods":null}],' +
      '"restricted_types":[{"name":"Query","fields":["secret"]}],' +
      '"field_access_rights":[{"type_name":"Q","field_name":"f","limits":{"max_query_depth":2}}],' +
      '"disable_introspection":true,"endpoints":[{"path":"/a","methods":[{"name":"GET","limit":{"rate":1,"per":2}}]}],' +
      '"json_rpc_methods":[{"name":"m","limit":{"rate":1,"per":1}}],"json_rpc_methods_access_rights":{"allowed":["m"]},' +
      '"mcp_primitives":[{"type":"tool","name":"t","limit":{"rate":1,"per":1}}],"mcp_access_rights":{"tools":{"blocked":["t"]}}}';
    assert.equal(again(`{"access_rights":{"a":${right}}}`), `{"access_rights":{"a":${right}}}`);
  });
});

describe("date_created", () => {
  it("comes back as Go prints it: to the nanosecond, without trailing zeros, Z for no offset", () => {
    const cases = {
      "2026-08-01T10:00:00Z": "2026-08-01T10:00:00Z",
      "2026-08-01T10:00:00.1234567899+02:00": "2026-08-01T10:00:00.123456789+02:00",
      "2026-08-01T10:00:00.500-00:00": "2026-08-01T10:00:00.5Z",
      "2024-02-29T23:59:59.000Z": "2024-02-29T23:59:59Z",
    };
    for (const [given, printed] of Object.entries(cases)) {
      assert.equal(parseSession(JSON.stringify({ date_created: given })).date_created, printed);
    }
  });

  it("must be a time that exists", () => {
    for (const text of [
      "",
      "yesterday",
      "2026-02-29T10:00:00Z",
      "2026-08-01T24:00:00Z",
      "2026-08-01 10:00:00Z",
      "2026-08-01",
    ]) {
      invalid(JSON.stringify({ date_created: text }), "date_created");
    }
    invalid('{"date_created":1787396400}', "date_created");
  });
});

describe("a session that a script wrote", () => {
  it("is refused as a whole for one member of the wrong kind, which is named", () => {
    invalid("notjson", "");
    invalid('{"expires":1700000000.5}', "expires");
    invalid('{"Expires":1.7e9}', "expires");
    invalid('{"quota_max":1e21}', "quota_max");
    invalid('{"tags":"edge"}', "tags");
    invalid('{"apply_policies":["a",1]}', "apply_policies[1]");
    invalid(
      '{"access_rights":{"api1":{"limit":{"quota_max":"5"}}}}',
      'access_rights["api1"].limit.quota_max',
    );
    invalid('{"oauth_keys":{"c":1}}', 'oauth_keys["c"]');
    invalid("[]", "");
  });

  it("takes names in any case and drops what a gateway does not know", () => {
    assert.deepEqual(parseSession('{"Rate":5,"ORG_ID":"o","key":"k","version":3}'), { rate: 5, org_id: "o" });
    // What remains of the answer to a missing key, written back unread.
    assert.deepEqual(parseSession(MISS), {});
  });

  it("never shows its values in an error", () => {
    for (const text of ['{"hmac_string":["hunter2"]}', '{"date_created":"hunter2"}', '{"alias":hunter2}']) {
      assert.throws(
        () => parseSession(text),
        (error) =>
          error instanceof AppError && !/hunter2/.test(`${error.message} ${error.stack} ${error.cause}`),
      );
    }
  });
});

describe("a stored session that somebody edited", () => {
  it("is refused when its members are unfit", () => {
    assert.throws(() => formatSession({ expires: 1.5 }), { code: "session-invalid", field: "expires" });
  });
});

describe("setting a session", () => {
  const NOW = 1_787_396_400;
  const options = { suppressReset: false, now: NOW, allowMasterKeys: false };
  const rights = { api1: {} };

  it("stamps it and resets its quota", () => {
    const given = {
      quota_max: 5,
      quota_remaining: 1,
      quota_renews: 1,
      quota_renewal_rate: 60,
      access_rights: rights,
    };
    assert.deepEqual(applySet(given, options), {
      quota_max: 5,
      quota_renews: NOW + 60,
      quota_remaining: 5,
      quota_renewal_rate: 60,
      access_rights: rights,
      last_updated: String(NOW),
    });
  });

  it("refills the limits of the APIs that have a quota of their own, and only those", () => {
    const access_rights = {
      limited: { limit: { quota_max: 7, quota_remaining: 2, quota_renews: 9 } },
      unlimited: { limit: { quota_max: -1, quota_remaining: 2 } },
      none: { limit: { rate: 3, quota_remaining: 2 } },
      bare: { api_id: "bare" },
    };
    const set = applySet({ quota_max: -1, quota_remaining: 3, access_rights }, options);
    assert.equal(set.quota_remaining, 3);
    assert.deepEqual(set.access_rights, {
      ...access_rights,
      limited: { limit: { quota_max: 7, quota_renews: 9, quota_remaining: 7 } },
    });
    assert.equal(access_rights.limited.limit.quota_remaining, 2, "the given session is left as it was");
  });

  it("stores quota and stamp as given when the reset is suppressed", () => {
    const given = {
      quota_max: 5,
      quota_renews: 1,
      quota_remaining: 1,
      access_rights: rights,
      last_updated: "7",
    };
    assert.deepEqual(applySet(given, { ...options, suppressReset: true }), given);
  });

  it("refuses a key without access rights, unless master keys are allowed", () => {
    for (const session of [{}, { access_rights: {} }, parseSession(MISS)]) {
      assert.throws(() => applySet(session, options), {
        code: "session-refused",
        message: /ALLOW_MASTER_KEYS/,
      });
      assert.throws(() => applySet(session, { ...options, suppressReset: true }), {
        code: "session-refused",
      });
      assert.deepEqual(applySet(session, { ...options, allowMasterKeys: true }), {
        quota_renews: NOW,
        last_updated: String(NOW),
      });
    }
  });
});

describe("a basic-auth key", () => {
  it("is shown without its password", () => {
    const session = { alias: "a", basic_auth_data: { password: "hash", hash_type: "bcrypt" } };
    assert.deepEqual(blankPassword(session), { alias: "a", basic_auth_data: { hash_type: "bcrypt" } });
    assert.deepEqual(blankPassword({ basic_auth_data: { password: "plain" } }), {});
    assert.deepEqual(blankPassword({ alias: "a" }), { alias: "a" });
    assert.equal(session.basic_auth_data.password, "hash");
  });
});

describe("for whatever session", () => {
  const count = fc.integer();
  const rate = fc.double({ noNaN: true, noDefaultInfinity: true });
  const text = fc.string({ unit: "binary" });
  const limit = fc.record(
    { rate, per: rate, quota_max: count, quota_remaining: count },
    { requiredKeys: [] },
  );
  const right = fc.record(
    { api_id: text, versions: fc.array(text), limit, disable_introspection: fc.boolean() },
    { requiredKeys: [] },
  );
  const session = fc.record(
    {
      last_check: count,
      rate,
      date_created: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") }),
      expires: count,
      access_rights: fc.dictionary(text, right),
      oauth_keys: fc.dictionary(text, text),
      monitor: fc.record({ trigger_limits: fc.array(rate) }),
      is_inactive: fc.boolean(),
      meta_data: fc.dictionary(text, fc.jsonValue()),
      tags: fc.array(text),
    },
    { requiredKeys: [] },
  );

  it("what is parsed, printed and parsed again is the same", () => {
    fc.assert(
      fc.property(session, (given) => {
        const parsed = parseSession(JSON.stringify(given));
        const printed = formatSession(parsed);
        assert.deepEqual(parseSession(printed), parsed);
        assert.equal(again(printed), printed);
        assert.equal(formatSession(JSON.parse(printed)), printed);
      }),
    );
  });

  it("a set keeps everything but quota and stamp, and is done once and for all", () => {
    const options = { suppressReset: false, now: 1_787_396_400, allowMasterKeys: true };
    fc.assert(
      fc.property(session, (given) => {
        const parsed = parseSession(JSON.stringify(given));
        const set = applySet(parsed, options);
        assert.deepEqual(applySet(set, options), set);
        assert.deepEqual(set.meta_data, parsed.meta_data);
        assert.equal(set.expires, parsed.expires);
      }),
    );
  });

  it("text of any kind gives a session or session-invalid", () => {
    const members = fc.constantFrom(
      "expires",
      "Rate",
      "access_rights",
      "meta_data",
      "tags",
      "date_created",
      "monitor",
    );
    const json = fc.dictionary(members, fc.jsonValue()).map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), json), (given) => {
        try {
          again(given);
        } catch (error) {
          assert(error instanceof AppError && error.code === "session-invalid", String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("nesting too deep to print is session-invalid from the start", () => {
    const nested = (depth: number) => `{"meta_data":{"a":${"[".repeat(depth)}${"]".repeat(depth)}}}`;
    assert.equal(again(nested(400)), nested(400));
    for (const depth of [600, 2_000, 9_000]) invalid(nested(depth), "");
  });
});

it("a password that a get has hidden is put back by a set, and a new one replaces it", () => {
  const stored = parseSession('{"basic_auth_data":{"password":"p1","hash_type":"bcrypt"}}');
  const shown = parseSession(formatSession(blankPassword(stored)));
  assert.deepEqual(keepPassword(shown, stored).basic_auth_data, { password: "p1", hash_type: "bcrypt" });
  const changed = parseSession('{"basic_auth_data":{"password":"p2"}}');
  assert.deepEqual(keepPassword(changed, stored).basic_auth_data, { password: "p2" });
  assert.equal(keepPassword(shown, undefined), shown);
});
