import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { baseUrl, flag, headerText, integer, isSet, list, text } from "../../functions/settings.ts";

/** The error names the variable, says what it is and gives an example. */
function refused(read: () => unknown, name: string, ...parts: string[]) {
  assert.throws(read, (error: Error & { code?: string }) => {
    assert.equal(error.code, "setting-invalid");
    for (const part of [name, "for example", ...parts]) {
      assert.ok(error.message.includes(part), `${error.message} does not say ${part}`);
    }
    assert.ok(!error.message.includes("\n"), "one line");
    return true;
  });
}

describe("a setting that is text", () => {
  it("is the variable's value without the spaces around it", () => {
    assert.equal(text({ STATE_TABLE: " gatehook-state \n" }, "STATE_TABLE"), "gatehook-state");
  });

  it("stops the start when it is missing or empty", () => {
    for (const value of [undefined, "", "  "]) {
      refused(
        () => text({ STATE_TABLE: value }, "STATE_TABLE"),
        "STATE_TABLE",
        "not set",
        "gatehook-prod-state",
      );
    }
    refused(() => text({}, "EVENTS_QUEUE_URL"), "EVENTS_QUEUE_URL", "https://sqs.");
  });
});

describe("whether a setting is set", () => {
  it("is not told by spaces", () => {
    const isThere = (value: string | undefined) => isSet({ GATEWAY_URL: value }, "GATEWAY_URL");
    assert.deepEqual(["http://gateway:8080", " x ", "  ", "", undefined].map(isThere), [
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe("a setting that is a whole number", () => {
  const read = (value: string | undefined) => integer({ MAX_ATTEMPTS: value }, "MAX_ATTEMPTS");

  it("is read, and has its default where it is missing or empty", () => {
    for (const [value, number] of [
      ["1", 1],
      ["1000", 1_000],
      [" 7 ", 7],
      ["", 5],
      [" ", 5],
      [undefined, 5],
    ] as const) {
      assert.equal(read(value), number, value);
    }
  });

  it("stops the start when it is no whole number, or out of range", () => {
    for (const value of ["five", "1.5", "0", "-1", "1001", "NaN", "Infinity", "5 s", "1,000"]) {
      refused(() => read(value), "MAX_ATTEMPTS", `"${value}"`, "from 1 to 1000");
    }
  });
});

describe("a setting that is yes or no", () => {
  const read = (value: string | undefined) => flag({ ALLOW_MASTER_KEYS: value }, "ALLOW_MASTER_KEYS");

  it("is true or false, and has its default where it is missing or empty", () => {
    assert.equal(read("true"), true);
    assert.equal(read(" false "), false);
    for (const value of [undefined, "", " "]) assert.equal(read(value), false);
  });

  it("stops the start when it is anything else, rather than guess", () => {
    for (const value of ["1", "yes", "TRUE", "on", "0", "no"]) {
      refused(() => read(value), "ALLOW_MASTER_KEYS", `"${value}"`, "true or false");
    }
  });
});

describe("a setting that is a list", () => {
  it("has its parts between the commas, without spaces and empty ones", () => {
    const read = (value: string | undefined) => list({ HTTP_ALLOW_HOSTS: value }, "HTTP_ALLOW_HOSTS");
    assert.deepEqual(read("billing.internal, 10.1.0.0/16 ,"), ["billing.internal", "10.1.0.0/16"]);
    for (const value of [undefined, "", " ", ",", " , "]) assert.deepEqual(read(value), []);
  });
});

describe("a setting that is an address", () => {
  const read = (value: string | undefined) => baseUrl({ GATEWAY_URL: value }, "GATEWAY_URL");

  it("is an http or https URL, perhaps with a path", () => {
    assert.equal(read("http://127.0.0.1:8080").origin, "http://127.0.0.1:8080");
    assert.equal(read(" https://gateway.internal/base/ ").pathname, "/base/");
  });

  it("stops the start when it is anything else, without showing it", () => {
    for (const value of [
      "gateway:8080",
      "ftp://gateway",
      "http://user:pass-4711@gateway",
      "http://gateway?a=pass-4711",
    ]) {
      refused(() => read(value), "GATEWAY_URL", "http or https");
      assert.throws(
        () => read(value),
        (error: Error) => !error.message.includes("pass-4711"),
      );
    }
    refused(() => read(undefined), "GATEWAY_URL", "not set");
  });
});

describe("a setting that is a secret", () => {
  const read = (value: string | undefined) => headerText({ GATEWAY_SECRET: value }, "GATEWAY_SECRET");

  it("is the variable's value", () => {
    assert.equal(read("s3cret-4711"), "s3cret-4711");
  });

  it("stops the start when a header cannot carry it, without showing it", () => {
    refused(() => read(""), "GATEWAY_SECRET", "not set");
    for (const value of ["pass-4711\nx", "pass-4711 x", "pass-4711ü"]) {
      refused(() => read(value), "GATEWAY_SECRET", "visible ASCII");
      assert.throws(
        () => read(value),
        (error: Error) => !error.message.includes("4711"),
      );
    }
  });
});
