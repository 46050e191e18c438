// The templates of webhooks on their way into a release.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readCandidate } from "../../lib/releases/examine.ts";
import { examinePartly } from "../../lib/releases/partly.ts";
import { openRelease } from "../../lib/releases/release.ts";
import { isSource, type SourceFile } from "../../lib/releases/sources.ts";
import { readSourceFiles } from "../../local/files.ts";
import { runCli } from "../helpers/cli.ts";
import { ownFolder } from "../helpers/folder.ts";

type Tree = Record<string, string>;
const filesOf = (tree: Tree): SourceFile[] => Object.entries(tree).map(([path, text]) => ({ path, text }));

/** An API whose webhooks for AuthFailure name these templates. */
const api = (id: string, ...templates: string[]) =>
  JSON.stringify({
    api_id: id,
    event_handlers: {
      events: {
        AuthFailure: templates.map((template_path) => ({
          handler_name: "eh_web_hook_handler",
          handler_meta: { method: "POST", target_path: "https://in.example/", template_path, gatehook: true },
        })),
      },
    },
  });

const check = (tree: Tree) => readCandidate(filesOf(tree));
const BASE = {
  "apis/a.json": api("a", "templates/slack.json"),
  "templates/slack.json": '{"text": "{{.Meta.Path}}"}',
};

describe("a template", () => {
  it("is part of the release of which a webhook names it, as it was uploaded", () => {
    const { release, version, errors, warnings } = check(BASE);
    assert.deepEqual([errors, warnings], [[], []]);
    assert.deepEqual(release.templates, [{ path: "slack.json", text: BASE["templates/slack.json"] }]);
    const live = openRelease(version, release);
    assert.equal(live.template("slack.json"), BASE["templates/slack.json"]);
    assert.equal(live.own("a", "AuthFailure").length, 1);
    assert.deepEqual(live.own("a", "__proto__"), []);
    const changed = check({ ...BASE, "templates/slack.json": "{{.Type}}" });
    assert.notEqual(changed.version, version);
  });

  it("leaves releases without one as they were", () => {
    const { release } = check({ "apis/a.json": JSON.stringify({ api_id: "a", name: "A" }) });
    assert.equal(
      JSON.stringify(release),
      '{"format":1,"apis":[{"api_id":"a","org_id":"","name":"A","handlers":{},"file":"apis/a.json"}],"scripts":[]}',
    );
  });

  const wrong: [tree: Tree, problem: object][] = [
    [
      { "apis/a.json": BASE["apis/a.json"], "templates/slak.json": "" },
      {
        file: "apis/a.json",
        message:
          /AuthFailure .*there is no templates\/slack\.json \(there is templates\/slak\.json\); upload it/,
      },
    ],
    [
      { "apis/a.json": api("a", "slack.tpl") },
      { file: "apis/a.json", message: /a template's name ends in \.json, \.txt, \.xml, \.html, \.tmpl/ },
    ],
    [
      { ...BASE, "templates/slack.json": 'a\n{{template "slack.json"}}' },
      { file: "templates/slack.json", line: 2, message: /template/ },
    ],
    [
      { ...BASE, "templates/slack.json": "a\n\n {{.Meta.Reason}}" },
      {
        file: "templates/slack.json",
        line: 3,
        message: /for an event AuthFailure: \.Reason is not a member/,
      },
    ],
    [
      { ...BASE, "templates/slack.json": "x".repeat(70_000) },
      { file: "templates/slack.json", line: 1, message: /more than 65536 bytes/ },
    ],
  ];
  for (const [tree, { message, ...place }] of wrong as [Tree, { message: RegExp; file: string }][])
    it(`is an error of its API: ${message.source}`, () => {
      const { errors } = check(tree);
      assert.equal(errors.length, 1);
      const [error] = errors;
      assert.match(error?.message ?? "", message);
      assert.deepEqual({ ...error, ...place }, error);
      assert.deepEqual(error?.apis, ["a"]);
    });

  it("that nobody names, and a webhook that would have no body, are warnings", () => {
    const { errors, warnings } = check({
      ...BASE,
      "templates/old.txt": "{{",
      "gateway.json": JSON.stringify({
        event_handlers: {
          events: {
            TokenCreated: [
              {
                handler_name: "eh_web_hook_handler",
                handler_meta: { method: "POST", target_path: "https://in.example/", gatehook: true },
              },
            ],
          },
        },
      }),
    });
    assert.deepEqual(errors, []);
    assert.deepEqual(
      warnings.map(({ file }) => file),
      ["gateway.json", "templates/old.txt"],
    );
    assert.match(warnings[0]?.message ?? "", /TokenCreated has the webhook .* becomes a dead letter/);
  });

  it("that is wrong keeps its APIs as they are live, and the others go live", async () => {
    const tree = { ...BASE, "apis/b.json": api("b", "b.txt"), "templates/b.txt": "b1" };
    const { release, version } = check(tree);
    const next = check({ ...tree, "templates/slack.json": "{{", "templates/b.txt": "b2" });
    const none = async () => ({ errors: [], warnings: [] });
    const partly = await examinePartly(next, { version, release }, next.errors, none);
    assert.deepEqual(partly?.kept, ["a"]);
    assert.deepEqual(partly?.candidate.release.templates, [
      { path: "b.txt", text: "b2" },
      { path: "slack.json", text: BASE["templates/slack.json"] },
    ]);
  });

  it("that is shared and has changed is the old one for all, while one of them stays", async () => {
    const tree = { ...BASE, "apis/b.json": api("b", "slack.json") };
    const { release, version } = check(tree);
    const broken = { ...tree, "apis/a.json": api("a", "gone.json"), "templates/slack.json": "new" };
    const next = check(broken);
    const none = async () => ({ errors: [], warnings: [] });
    const partly = await examinePartly(next, { version, release }, next.errors, none);
    assert.deepEqual(partly?.kept, ["a", "b"]);
    assert.match(
      partly?.warnings[0]?.message ?? "",
      /API b stays .*shares templates\/slack\.json.*a template is/,
    );
    assert.deepEqual(partly?.candidate.release.templates, release.templates);
  });
});

describe("the folder templates/", () => {
  it("is uploaded with the others, by its own name, where it is there", async () => {
    const folder = await ownFolder({ folders: { apis: "definitions" } });
    await folder.write("definitions/a.json", "{}");
    await folder.write("handlers/a.js", "");
    await folder.write("templates/sub/a.json", "{{.Type}}");
    await folder.write("templates/notes.md", "");
    const files = await readSourceFiles(folder.dir, { apis: "definitions", handlers: "handlers" });
    await folder.remove();
    assert.deepEqual(
      files.map(({ path }) => path),
      ["apis/a.json", "handlers/a.js", "templates/sub/a.json"],
    );
  });

  it("has what webhooks name that run here by a setting of the folder alone", async () => {
    const entry = {
      handler_name: "eh_web_hook_handler",
      handler_meta: { method: "POST", target_path: "https://in.example/", template_path: "gone.txt" },
    };
    const definition = { api_id: "a", event_handlers: { events: { AuthFailure: [entry] } } };
    const results: string[] = [];
    for (const project of [{}, { settings: { GATEWAY_HANDLERS: "all" } }]) {
      const folder = await ownFolder(project);
      await folder.write("apis/a.json", definition);
      await folder.write("handlers/a.md", "");
      const { stdout } = await runCli(["check", "--json", "--dir", folder.dir]);
      await folder.remove();
      results.push((JSON.parse(stdout) as { result: string }).result);
    }
    assert.deepEqual(results, ["ok", "refused"]);
  });

  it("wakes the releaser by its templates alone", () => {
    assert.equal(isSource("templates/sub/a.tmpl"), true);
    assert.equal(isSource("templates/a.md"), false);
  });
});
