// docs/webhooks.md against what it is about.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { EVENT_TYPES } from "../../lib/apis/event-types.ts";
import { readCandidate } from "../../lib/releases/examine.ts";
import { templateValue } from "../../lib/webhooks/template/event.ts";
import { FUNCTIONS } from "../../lib/webhooks/template/functions.ts";
import {
  LIMITS,
  MAX_TEMPLATE_BYTES,
  parseTemplate,
  render,
  templateProblems,
} from "../../lib/webhooks/template/template.ts";
import { wholeEvent } from "../helpers/webhook-bodies.ts";

const PAGE = readFileSync(new URL("../../docs/webhooks.md", import.meta.url), "utf8");

const blockOf = (language: string) =>
  new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "ms").exec(PAGE)?.[1] ?? "";
const rows = (heading: string) => {
  const [, table = ""] = PAGE.split(heading);
  return [
    ...(table
      .trimStart()
      .split("\n\n")[0]
      ?.matchAll(/^\| (?!---)(.+) \|$/gm) ?? []),
  ]
    .slice(1)
    .map(([, row = ""]) => row.split(" | "));
};
const codes = (text = "") => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);

describe("docs/webhooks.md", () => {
  it("has a definition and a template that go live, without a warning", () => {
    const files = ["apis/orders.json", "templates/slack.json"].map((path) => {
      const [, text = ""] = new RegExp(`^cat > ${path} <<'END'\n(.*?)^END$`, "ms").exec(PAGE) ?? [];
      return { path, text };
    });
    const { release, errors, warnings } = readCandidate(files);
    assert.deepEqual([errors, warnings], [[], []]);
    assert.deepEqual(
      release.apis.flatMap(({ own }) => own?.AuthFailure?.map(({ entry }) => entry)),
      ["webhook:team", "log:auth"],
    );
    assert.equal(release.templates?.length, 1);
  });

  it("has a template that writes JSON for the types that it asks for", () => {
    const template = parseTemplate("docs", blockOf("gotemplate"));
    for (const type of ["HostDown", "AuthFailure"]) {
      const body = JSON.parse(render(template, templateValue(wholeEvent(type))));
      assert.deepEqual(Object.keys(body), ["text", type === "HostDown" ? "host" : "path"]);
    }
  });

  it("names every function that there is, and none else", () => {
    const named = rows("| part | supported |\n")
      .filter(([, supported = ""]) => supported.startsWith("yes"))
      .flatMap(([part = ""]) => codes(part.split(";")[0]))
      .flatMap((code) => /^[a-z_0-9]+$/.exec(code) ?? []);
    for (const name of FUNCTIONS.keys()) assert(named.includes(name), name);
    const words = new Set([...FUNCTIONS.keys(), "if", "else", "with", "range"]);
    for (const name of named) assert(words.has(name), name);
  });

  it("names the members of each type of event", () => {
    const [everywhere, ...others] = rows("those of the JSON:\n\n");
    const families = others.slice(0, -1);
    const patterns = families.map(([types, members]) => ({
      types: codes(types).map((type) => new RegExp(`^${type.replace("…", "\\w*")}$`)),
      members: codes(members).filter((name) => name !== "HostInfo"),
      holder: codes(members).includes("HostInfo") ? ".Meta.HostInfo" : ".Meta",
    }));
    for (const type of EVENT_TYPES.filter((type) => !type.startsWith("OAuth2"))) {
      const found = patterns.filter(({ types }) => types.some((pattern) => pattern.test(type)));
      assert.equal(found.length, 1, type);
      const names = found.flatMap(({ members, holder }) => members.map((name) => `${holder}.${name}`));
      const all = [...codes(everywhere?.[1]).map((name) => `.Meta.${name}`), ...names];
      assert.deepEqual(
        templateProblems("docs", all.map((name) => `{{${name}}}`).join("\n"), [type]),
        [],
        type,
      );
    }
  });

  it("has the limits", () => {
    assert(PAGE.includes(`${MAX_TEMPLATE_BYTES / 1024} KiB, print up to ${LIMITS.bytes / 1024 / 1024} MiB`));
    assert(PAGE.includes(`${LIMITS.steps.toLocaleString("en")} steps`));
  });
});
