import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { agree, governed, type Members, merge } from "../../lib/gateway/merge.ts";

const BASE: Members = {
  rate: 100,
  alias: "al",
  org_id: "org",
  date_created: "2026-01-01T00:00:00Z",
  quota_remaining: 1_000,
  tags: ["t1", "t2"],
  meta_data: { plan: "basic", deep: { a: 1, b: 2 } },
  access_rights: { api1: { api_id: "api1", versions: ["Default"] }, api2: { api_id: "api2" } },
};
const with_ = (changes: Members, from = BASE): Members => ({ ...from, ...changes });

/** What of `theirs` a merge changes, and to what. */
function merged(ours: Members, theirs: Members, base = BASE) {
  const { session, changed } = merge(base, ours, theirs);
  return Object.fromEntries(changed.map((name) => [name, session[name]]));
}

describe("a merge", () => {
  const CASES: [what: string, ours: Members, theirs: Members, changes: Members][] = [
    [
      "leaves a key blocked that the gateway blocked",
      with_({ alias: "x" }),
      with_({ is_inactive: true }),
      { alias: "x" },
    ],
    ["sends nothing when we changed nothing", BASE, with_({ alias: "theirs", rate: 7 }), {}],
    [
      "sends nothing when the gateway has our change already",
      with_({ alias: "x" }),
      with_({ alias: "x" }),
      {},
    ],
    ["takes ours where both changed a member", with_({ alias: "x" }), with_({ alias: "y" }), { alias: "x" }],
    [
      "adds and removes tags, whatever others the gateway has",
      with_({ tags: ["t2", "new"] }),
      with_({ tags: ["t9", "t2", "t1"] }),
      { tags: ["t9", "t2", "new"] },
    ],
    ["does not see the order of tags", with_({ tags: ["t2", "t1"] }), with_({ tags: ["t1", "t2"] }), {}],
    [
      "merges meta_data member by member",
      with_({ meta_data: { plan: "gold", deep: { a: 1, b: 3 } } }),
      with_({ meta_data: { plan: "basic", deep: { a: 5, b: 2 }, theirs: 1 } }),
      { meta_data: { plan: "gold", deep: { a: 5, b: 3 }, theirs: 1 } },
    ],
    [
      "tells 0, false, null and absence in meta_data apart",
      with_({ meta_data: { plan: 0, deep: null } }),
      BASE,
      { meta_data: { plan: 0, deep: null } },
    ],
    [
      "removes what we removed of meta_data",
      with_({ meta_data: { plan: "basic" } }),
      with_({ meta_data: { ...(BASE.meta_data as object), theirs: 1 } }),
      { meta_data: { plan: "basic", theirs: 1 } },
    ],
    [
      "does not carry the quota of an old copy",
      with_({ quota_remaining: 3 }),
      with_({ quota_remaining: 900 }),
      {},
    ],
    [
      "changes one API's right beside one that the gateway added",
      with_({ access_rights: { api1: { api_id: "api1", versions: ["v2"] }, api2: { api_id: "api2" } } }),
      with_({ access_rights: { ...(BASE.access_rights as object), api3: { api_id: "api3" } } }),
      {
        access_rights: {
          api1: { api_id: "api1", versions: ["v2"] },
          api2: { api_id: "api2" },
          api3: { api_id: "api3" },
        },
      },
    ],
    [
      "leaves a right away that the gateway took away, although we changed it",
      with_({
        access_rights: {
          api1: { api_id: "api1", versions: ["Default"] },
          api2: { api_id: "api2", versions: ["v2"] },
        },
      }),
      with_({ access_rights: { api1: { api_id: "api1", versions: ["Default"] } } }),
      {},
    ],
    [
      "takes a right away that we took away",
      with_({ access_rights: { api1: { api_id: "api1", versions: ["Default"] } } }),
      BASE,
      { access_rights: { api1: { api_id: "api1", versions: ["Default"] } } },
    ],
    [
      "changes a right's limit, and not its use",
      with_({
        access_rights: {
          api1: { api_id: "api1", versions: ["Default"], limit: { rate: 5, quota_remaining: 1 } },
          api2: { api_id: "api2" },
        },
      }),
      with_({
        access_rights: {
          api1: {
            api_id: "api1",
            versions: ["Default"],
            limit: { rate: 1, quota_remaining: 77 },
            allowance_scope: "s",
          },
          api2: { api_id: "api2" },
        },
      }),
      {
        access_rights: {
          api1: {
            api_id: "api1",
            versions: ["Default"],
            limit: { rate: 5, quota_remaining: 77 },
            allowance_scope: "s",
          },
          api2: { api_id: "api2" },
        },
      },
    ],
    [
      "gives a right that was nobody's, though it is empty",
      with_({ access_rights: { ...(BASE.access_rights as object), api9: {} } }),
      BASE,
      { access_rights: { ...(BASE.access_rights as object), api9: {} } },
    ],
    ["has zero and absence be one for what is not data", with_({ rate: 0 }), with_({ rate: undefined }), {}],
    [
      "sends a new password, and no blank one",
      with_({ basic_auth_data: { password: "new" } }),
      with_({ basic_auth_data: { hash_type: "bcrypt" } }),
      { basic_auth_data: { password: "new" } },
    ],
    [
      "keeps members that nobody here knows",
      with_({ alias: "x" }),
      with_({ future: { a: 1 } }),
      { alias: "x" },
    ],
    [
      "holds __proto__ like any other member of meta_data",
      with_({ meta_data: JSON.parse('{"plan":"basic","deep":{"a":1,"b":2},"__proto__":1}') }),
      BASE,
      { meta_data: JSON.parse('{"plan":"basic","deep":{"a":1,"b":2},"__proto__":1}') },
    ],
  ];
  for (const [what, ours, theirs, changes] of CASES) {
    it(what, () => {
      const found = merged(ours, theirs);
      if (Array.isArray(found.tags)) (found.tags as string[]).sort();
      if (Array.isArray(changes.tags)) (changes.tags as string[]).sort();
      assert.deepEqual(found, changes);
    });
  }

  it("refuses a change of what the key is", () => {
    const { refused, changed, session } = merge(BASE, with_({ org_id: "other", alias: "x" }), BASE);
    assert.deepEqual([refused, changed, session.org_id], [["org_id"], ["alias"], "org"]);
  });

  it("keeps what the gateway has of unknown members in what is sent", () => {
    assert.deepEqual(merge(BASE, with_({ alias: "x" }), with_({ future: 1 })).session.future, 1);
  });
});

describe("a member that a policy decides", () => {
  it("is named where the key has one", () => {
    for (const key of [{ apply_policies: ["p"] }, { apply_policy_id: "p" }])
      assert.deepEqual(governed(["rate", "alias", "is_inactive"], with_(key)), ["rate", "is_inactive"]);
    assert.deepEqual(governed(["rate"], with_({ apply_policies: [] })), []);
  });
});

describe("for whatever three sessions", () => {
  const value = fc.oneof(
    fc.constantFrom(0, 1, "", "a", null, false),
    fc.array(fc.constantFrom("a", "b")),
    fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom(0, 1)),
  );
  const session: fc.Arbitrary<Members> = fc
    .record(
      {
        alias: fc.constantFrom("", "a", "b"),
        rate: fc.constantFrom(0, 1, 2),
        tags: fc.array(fc.constantFrom("a", "b", "c")),
        meta_data: fc.dictionary(fc.constantFrom("a", "b", "__proto__"), value),
        access_rights: fc.dictionary(
          fc.constantFrom("x", "y"),
          fc.record(
            {
              api_id: fc.constantFrom("x", "y"),
              limit: fc.record({ rate: fc.constantFrom(0, 1) }, { requiredKeys: [] }),
            },
            { requiredKeys: [] },
          ),
        ),
        quota_remaining: fc.constantFrom(1, 2),
      },
      { requiredKeys: [] },
    )
    .map((members) => JSON.parse(JSON.stringify(members)) as Members);

  it("our change done to what is ours already is ours, and to the base too", () => {
    fc.assert(
      fc.property(session, session, (base, ours) => {
        assert.deepEqual(merge(base, ours, ours).changed, []);
        assert.ok(agree(merge(base, ours, base).session, ours));
      }),
    );
  });

  it("without a change of ours, the gateway's stays; a second merge has nothing to do", () => {
    fc.assert(
      fc.property(session, session, session, (base, ours, theirs) => {
        assert.deepEqual(merge(base, base, theirs), { session: theirs, changed: [], refused: [] });
        const once = merge(base, ours, theirs).session;
        assert.deepEqual(merge(base, ours, once).changed, []);
      }),
    );
  });
});
