import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readIngestAuth } from "../../functions/ingest-auth.ts";
import { createTokenCheck } from "../../lib/ingest/token.ts";

const OLD = "old-token-of-one-deployment";
const NEW = "new-token-of-one-deployment";
const REFUSED = { name: "AppError", code: "token-invalid", status: 401, field: "authorization" };

describe("a publisher's token", () => {
  const check = createTokenCheck([OLD, NEW]);

  it("is taken when it is any of the deployment's, so that it can be changed without a gap", () => {
    check(`Bearer ${OLD}`);
    check(`Bearer ${NEW}`);
    check(`bearer ${NEW}`);
  });

  it("is refused when it is missing, another, a part, or sent in another way", () => {
    for (const header of [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      NEW,
      `Basic ${NEW}`,
      `Bearer ${NEW}x`,
      `Bearer ${NEW.slice(0, -1)}`,
      `Bearer ${OLD} ${NEW}`,
      `Bearer ${OLD},${NEW}`,
      `Bearer ${NEW.toUpperCase()}`,
    ]) {
      assert.throws(() => check(header), REFUSED, String(header));
    }
  });

  it("is refused whatever else the header is, and the refusal does not repeat it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 5 }), (text) => {
        for (const header of [text, `Bearer ${text}`]) {
          try {
            check(header);
            assert.fail("taken");
          } catch (error) {
            assert.equal((error as { code?: string }).code, "token-invalid");
            assert.ok(!(error as Error).message.includes(NEW));
          }
        }
      }),
    );
  });
});

describe("the setting of who may send events", () => {
  const stopped = (env: Record<string, string>, ...parts: string[]) =>
    assert.throws(
      () => readIngestAuth(env),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "setting-invalid");
        for (const part of parts) assert.ok(error.message.includes(part), error.message);
        for (const token of (env.INGEST_TOKEN ?? "").split(",").filter((one) => one.trim()))
          assert.ok(!error.message.includes(token), "the token is not told");
        return true;
      },
    );

  it("stops the start where a token is to be checked and there is none, or a poor one", () => {
    stopped({}, "INGEST_TOKEN", "is not set");
    stopped({ INGEST_TOKEN: " , " }, "INGEST_TOKEN", "is not set");
    stopped({ INGEST_AUTH: "token", INGEST_TOKEN: "hunter2" }, "INGEST_TOKEN", "16 characters");
    stopped({ INGEST_TOKEN: `${NEW},hunter2` }, "INGEST_TOKEN", "16 characters");
    stopped({ INGEST_AUTH: "open" }, "INGEST_AUTH", "token or iam or none");
  });

  it("checks tokens unless it says who else does, or that nobody does", () => {
    assert.throws(() => readIngestAuth({ INGEST_TOKEN: NEW })("Bearer no"), REFUSED);
    readIngestAuth({ INGEST_TOKEN: `${OLD}, ${NEW}` })(`Bearer ${NEW}`);
    for (const INGEST_AUTH of ["iam", "none"]) readIngestAuth({ INGEST_AUTH })(undefined);
  });
});
