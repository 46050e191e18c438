// THIRD-PARTY-LICENSES names what of others the package ships, each under a licence that allows it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { endBuilder, ROOT } from "../../deploy/build.ts";
import {
  checkLicences,
  LICENCES_FILE,
  licencesText,
  type Shipped,
  shippedPackages,
} from "../../deploy/licences.ts";

describe("the packages that are shipped", () => {
  let packages: Shipped[];
  before(async () => {
    packages = await shippedPackages();
  });
  after(endBuilder);

  it("stand in THIRD-PARTY-LICENSES (npm run docs writes it), which is part of the package", () => {
    assert.equal(readFileSync(LICENCES_FILE, "utf8"), licencesText(packages));
    const { files } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
    assert.ok(files.includes("THIRD-PARTY-LICENSES"));
  });

  it("are those of the functions, the sandbox, what is copied beside it, and the page", () => {
    const names = packages.map(({ name }) => name);
    const some = ["@aws-sdk/client-dynamodb", "undici", "quickjs-emscripten-core", "underscore", "preact"];
    for (const name of [...some, "@jitl/quickjs-wasmfile-release-sync"])
      assert.ok(names.includes(name), name);
    assert.ok(!names.includes("typescript"));
  });

  it("have licences that are allowed", () => {
    checkLicences(packages);
  });

  it("would be refused with another licence, or with none", () => {
    const one = { name: "one", author: "", text: "" };
    const others = [
      { ...one, licence: "MIT" },
      { ...one, name: "two", licence: "GPL-3.0-only" },
      { ...one, name: "three", licence: "" },
    ];
    assert.throws(() => checkLicences(others), /would ship two \(GPL-3\.0-only\), three \(no licence/);
  });
});
