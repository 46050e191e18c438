import { openRoutes, openUrls, silentAlarms, wholeTables, wideStatements } from "./access-problems.ts";
import { gatewayTiming, lostInvocations, queues, sources, timing } from "./queue-problems.ts";
import { namesIn, type Template } from "./template.ts";

/** What neither CloudFormation nor its schemas would tell, and would go wrong once it runs. */
export function templateProblems(template: Template): string[] {
  const checks = [
    danglingReferences,
    missingConditions,
    wideStatements,
    wholeTables,
    silentAlarms,
    openRoutes,
    openUrls,
    timing,
    gatewayTiming,
    sources,
    queues,
    lostInvocations,
  ];
  return checks.flatMap((check) => check(template));
}

function danglingReferences(template: Template): string[] {
  const { Resources, Conditions = {}, Parameters = {} } = template;
  const known = new Set([Resources, Conditions, Parameters].flatMap((part) => Object.keys(part)));
  const dangling = new Set(namesIn(template).filter((name) => !name.startsWith("AWS::") && !known.has(name)));
  return [...dangling].map((name) => `something refers to ${name}, which is not in the template`);
}

/** What a condition leaves out cannot be referred to by what stays: without a gateway, nothing would deploy. */
function missingConditions({ Resources, Outputs = {} }: Template): string[] {
  // An Fn::If has a condition of its own.
  const isOpen = (key: string, value: unknown) => (key === "Fn::If" ? undefined : value);
  return Object.entries({ ...Resources, ...Outputs }).flatMap(([id, one]) => {
    const names = new Set(namesIn(JSON.parse(JSON.stringify(one, isOpen))));
    return [...names].flatMap((name) => {
      const { Condition: condition } = Resources[name] ?? {};
      return condition === undefined || condition === one.Condition
        ? []
        : [`${id} refers to ${name}, which is there only with ${condition}: give it that condition too`];
    });
  });
}
