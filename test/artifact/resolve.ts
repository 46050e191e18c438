import type { Template } from "../../deploy/template.ts";

/** What the references of a template stand for. */
export interface Names {
  ref(id: string): string;
  attribute(id: string, name: string): string;
  pseudo: Record<string, string>;
}

type Intrinsic = (argument: never) => unknown;

const NO_VALUE = Symbol("AWS::NoValue");

/** A template's value as CloudFormation would make it; what is AWS::NoValue is left out. */
export function createResolver(template: Template, names: Names): (value: unknown) => unknown {
  const condition = (name: string) => resolve(template.Conditions?.[name]) === true;
  const byName = (name: string) => names.pseudo[name] ?? names.ref(name);

  const intrinsics: Record<string, Intrinsic> = {
    Ref: (name: string) => (name === "AWS::NoValue" ? NO_VALUE : byName(name)),
    "Fn::GetAtt": ([id, attribute]: [string, string]) => names.attribute(id, attribute),
    "Fn::Sub": (sub: string | [string, Record<string, unknown>]) => {
      const [text, own = {}] = [sub].flat() as [string, Record<string, unknown>?];
      return text.replace(/\$\{([\w:]+)(?:\.(\w+))?\}/g, (_, name: string, attribute?: string) => {
        if (Object.hasOwn(own, name)) return String(resolve(own[name]));
        return attribute ? names.attribute(name, attribute) : byName(name);
      });
    },
    "Fn::Split": ([separator, text]: [string, unknown]) => String(resolve(text)).split(separator),
    "Fn::Select": ([index, list]: [number, unknown]) => (resolve(list) as unknown[])[index],
    "Fn::Join": ([separator, parts]: [string, unknown[]]) => parts.map(resolve).join(separator),
    "Fn::If": ([name, yes, no]: [string, unknown, unknown]) => resolve(condition(name) ? yes : no),
    "Fn::Equals": ([one, other]: [unknown, unknown]) => String(resolve(one)) === String(resolve(other)),
    "Fn::And": (all: unknown[]) => all.every((one) => resolve(one) === true),
    "Fn::Not": ([inner]: [unknown]) => resolve(inner) !== true,
    Condition: (name: string) => condition(name),
  };

  function resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(resolve).filter((item) => item !== NO_VALUE);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    const [only] = entries;
    const intrinsic = entries.length === 1 && only ? intrinsics[only[0]] : undefined;
    if (intrinsic && only) return intrinsic(only[1] as never);
    return Object.fromEntries(
      entries.map(([key, inner]) => [key, resolve(inner)]).filter(([, inner]) => inner !== NO_VALUE),
    );
  }

  return resolve;
}
