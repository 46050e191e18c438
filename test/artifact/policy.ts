import type { Access } from "./access.ts";

/** One action on one resource, and of a table perhaps on one kind of item, that a role allows; with wildcards. */
export type Grant = Access;

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, unknown>>;
}

/** The grants of a role's resolved properties. */
export function grantsOf(role: unknown): Grant[] {
  const { Policies } = role as { Policies: { PolicyDocument: { Statement: Statement[] } }[] };
  return Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement).flatMap((statement) => {
    if (statement.Effect !== "Allow") throw new Error(`a role with Effect ${statement.Effect}`);
    return [statement.Action]
      .flat()
      .flatMap((action) => [statement.Resource].flat().map((resource) => ({ action, resource })))
      .flatMap((grant) => itemsOf(statement).map((item) => ({ ...grant, item })));
  });
}

/** The items that a statement is limited to; one undefined when it is not. Any other condition is not known here. */
function itemsOf({ Condition }: Statement): (string | undefined)[] {
  if (!Condition) return [undefined];
  const { "ForAllValues:StringLike": like, Null, ...others } = Condition;
  const items = like?.["dynamodb:LeadingKeys"];
  const isKnown =
    Array.isArray(items) && Null?.["dynamodb:LeadingKeys"] === "false" && Object.keys(others).length === 0;
  if (!isKnown) throw new Error(`a role with the condition ${JSON.stringify(Condition)}`);
  return items as string[];
}

export function covers(grant: Grant, access: Access): boolean {
  if (grant.action !== access.action || !isLike(grant.resource, access.resource)) return false;
  if (grant.item === undefined) return true;
  return access.item !== undefined && isLike(grant.item, access.item);
}

function isLike(pattern: string, text: string): boolean {
  const expression = pattern.split("*").map(RegExp.escape).join(".*");
  return new RegExp(`^${expression}$`, "s").test(text);
}
