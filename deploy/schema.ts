/**
 * The errors of AWS's own schemas and rules for a template that would not deploy; undefined if the package with them is
 * not installed.
 */
export async function schemaProblems(templateFile: string): Promise<string[] | undefined> {
  const validate = await import("@aws/cloudformation-validate").catch(() => undefined);
  if (!validate) return undefined;
  const { RegoEngine, TemplateFile } = validate;
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
