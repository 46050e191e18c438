import { parse } from "yaml";
import { createNearest } from "../lib/apis/nearest.ts";
import { problemWithNamed, settingOf } from "../lib/settings/named.ts";

/** As serverless.yml has them under a stage, or under `default`. */
type Parameters = Record<string, unknown>;

/**
 * What is wrong with the parameters of a stage, or of one command: the framework itself tells of a wrong value only
 * where it is used, and passes over a wrong name.
 */
export function parameterProblems(serverlessYml: string, args: string[]): string[] {
  // Tags such as !Ref are CloudFormation's: nothing of them is read here.
  const { params = {} } = parse(serverlessYml, { logLevel: "silent" }) as {
    params?: Record<string, Parameters>;
  };
  const { default: known = {} } = params;
  const stage = optionsOf(args, ["--stage", "-s"]).at(-1) ?? "dev";
  const given = optionsOf(args, ["--param"]).map((text) => text.split(/=(.*)/s));
  return [
    ...problemsOf(Object.entries(known), known, "serverless.yml, params.default: "),
    ...problemsOf(Object.entries(params[stage] ?? {}), known, `serverless.yml, params.${stage}: `),
    ...problemsOf(
      given.map(([name = "", value]) => [name, value]),
      known,
      "--param: ",
    ),
  ];
}

function problemsOf(
  parameters: [name: string, value: unknown][],
  known: Parameters,
  where: string,
): string[] {
  const nearest = createNearest(Object.keys(known));
  return parameters.flatMap(([name, value]) => {
    const near = nearest(name);
    const problem = Object.hasOwn(known, name)
      ? problemWith(name, value)
      : `there is no parameter ${name}${near ? ` (did you mean ${near}?)` : ""}`;
    return problem === undefined ? [] : [where + problem];
  });
}

/** Of a parameter that somebody added for a use of their own nothing is known. */
function problemWith(name: string, value: unknown): string | undefined {
  if (value === undefined) return `${name} has no value: write ${name}=value`;
  const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  const isKnown = isPlain && !String(value).includes("${") && !("problem" in settingOf(name));
  return isKnown ? problemWithNamed(name, String(value)) : undefined;
}

/** The values of an option, as `--name value` and as `--name=value`. */
function optionsOf(args: string[], names: string[]): string[] {
  return args.flatMap((arg, at) => {
    const [name = "", value = args[at + 1] ?? ""] = arg.split(/=(.*)/s);
    return names.includes(name) ? [value] : [];
  });
}
