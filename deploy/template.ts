/** The relevant part of a compiled CloudFormation template. */
export interface Template {
  Parameters?: Record<string, unknown>;
  Resources: Record<string, Resource>;
  Conditions?: Record<string, unknown>;
  Outputs?: Record<string, { Value: unknown; Condition?: string }>;
}

/** A CloudFormation resource; `Type` such as `AWS::SQS::Queue`. */
export interface Resource {
  Type: string;
  Condition?: string;
  Properties: Record<string, unknown>;
}

/** The logical ids and the resources of one type. */
export const ofType = (template: Template, type: string) =>
  Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);

/** Every object in a value, including the value itself. */
export function* objectsIn(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* objectsIn(inner);
}

/** Every resource, parameter and condition that a value refers to. */
export function namesIn(value: unknown): string[] {
  return [...objectsIn(value)].flatMap((object) => {
    const { Ref: ref, "Fn::GetAtt": getAtt, "Fn::Sub": sub, "Fn::If": choice, Condition: condition } = object;
    return [
      ref,
      Array.isArray(getAtt) ? getAtt[0] : undefined,
      Array.isArray(choice) ? choice[0] : undefined,
      typeof condition === "string" ? condition : undefined,
      ...subNames(sub),
    ].filter((name) => typeof name === "string");
  });
}

function subNames(sub: unknown): string[] {
  const [text, own = {}] = [sub].flat() as [unknown, object?];
  if (typeof text !== "string") return [];
  const names = [...text.matchAll(/\$\{([^!}.]+)[^}]*\}/g)].map((match) => match[1] ?? "");
  return names.filter((name) => !Object.hasOwn(own, name));
}

/** The resource that a value refers to. */
export function idOf(value: unknown): string | undefined {
  const { Ref: ref, "Fn::GetAtt": getAtt } = (value ?? {}) as { Ref?: string; "Fn::GetAtt"?: string[] };
  return ref ?? getAtt?.[0];
}
