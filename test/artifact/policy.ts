import type { Access } from "./access.ts";

/** One action on one resource, which may have wildcards, that a role allows. */
export type Grant = Access;

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource: string | string[];
}

/** The grants of a role's resolved properties. */
export function grantsOf(role: unknown): Grant[] {
  const { Policies } = role as { Policies: { PolicyDocument: { Statement: Statement[] } }[] };
  return Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement).flatMap((statement) => {
    if (statement.Effect !== "Allow") throw new Error(`a role with Effect ${statement.Effect}`);
    return [statement.Action]
      .flat()
      .flatMap((action) => [statement.Resource].flat().map((resource) => ({ action, resource })));
  });
}

export function covers(grant: Grant, access: Access): boolean {
  const pattern = grant.resource.split("*").map(RegExp.escape).join(".*");
  return grant.action === access.action && new RegExp(`^${pattern}$`).test(access.resource);
}
