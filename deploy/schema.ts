import { RegoEngine, TemplateFile } from "@aws/cloudformation-validate";

/** What AWS's own schemas and rules say of a template, as far as it would not deploy. */
export function schemaProblems(templateFile: string): string[] {
  const engine = new RegoEngine();
  try {
    const { status, diagnostics } = engine.validateStandard(new TemplateFile(templateFile), {
      severityLevel: "ERROR",
    });
    const found = diagnostics.map(
      ({ ruleId, entity, propertyPath = "", message }) =>
        `${entity?.logicalId ?? "template"} ${propertyPath}: ${message} (${ruleId})`,
    );
    return status === "OK" ? found : [...found, `the template could not be checked as a whole: ${status}`];
  } finally {
    engine.free();
  }
}
