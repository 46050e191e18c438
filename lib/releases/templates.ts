import { createNearest } from "../apis/nearest.ts";
import { hasDefaultBody } from "../webhooks/default-body.ts";
import { MAX_TEMPLATE_BYTES, templateProblems } from "../webhooks/template/template.ts";
import { type ApiFile, type NamedTemplate, namedTemplates } from "./read-apis.ts";
import type { TemplateText } from "./release.ts";
import { type Problem, type SourceFile, TEMPLATE_ENDINGS, templateFile } from "./sources.ts";

/** The templates of webhooks, ordered by path, with their problems. */
export function usedTemplates(
  files: SourceFile[],
  apis: ApiFile[],
): { used: TemplateText[]; problems: Problem[]; warnings: Problem[] } {
  const uploaded = new Map(
    files.filter(({ path }) => path.startsWith("templates/")).map((file) => [file.path, file]),
  );
  const named = Map.groupBy(apis.flatMap(namedTemplates), ({ path }) => path);
  const used: TemplateText[] = [];
  const problems: Problem[] = [];
  for (const [path, users] of [...named].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const file = uploaded.get(templateFile(path));
    if (!file) problems.push(...users.map((user) => missing(user, uploaded)));
    else {
      problems.push(...faultsOf(file, users));
      used.push({ path, text: file.text });
    }
  }
  return { used, problems, warnings: apis.flatMap(unsentBodies) };
}

function missing({ file, type, path, apiId }: NamedTemplate, uploaded: Map<string, SourceFile>): Problem {
  const wanted = templateFile(path);
  const near = createNearest(uploaded.keys())(wanted);
  const hint = TEMPLATE_ENDINGS.some((ending) => path.endsWith(ending))
    ? `there is no ${wanted}${near ? ` (there is ${near})` : ""}; upload it, or fix the path`
    : `a template's name ends in ${TEMPLATE_ENDINGS.join(", ")}`;
  return { file, message: `${type} has a webhook with the template ${path}, but ${hint}`, apis: [apiId] };
}

function faultsOf({ path, text, bytes }: SourceFile, users: NamedTemplate[]): Problem[] {
  const apis = [...new Set(users.map(({ apiId }) => apiId))];
  // Files that are too large were not read.
  if (bytes !== undefined && bytes > MAX_TEMPLATE_BYTES)
    return [
      {
        file: path,
        message: `it has more than ${MAX_TEMPLATE_BYTES} bytes: make the template smaller`,
        apis,
      },
    ];
  const types = [...new Set(users.map(({ type }) => type))];
  return templateProblems(path, text, types).map((problem) => ({ file: path, ...problem, apis }));
}

/** Events without a default body. */
function unsentBodies({ file, api }: ApiFile): Problem[] {
  return Object.entries(api.own ?? {}).flatMap(([type, handlers]) =>
    handlers.flatMap((handler) => {
      if (handler.kind !== "webhook" || handler.template || handler.json || hasDefaultBody(type)) return [];
      const message =
        `${type} has the webhook ${handler.entry} with the default body, which the gateway has not for such events, so ` +
        'each becomes a dead letter: give it a template_path, or "gatehook": {"json": true}';
      return [{ file, message }];
    }),
  );
}
