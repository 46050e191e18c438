import { openRoutes, openUrls, silentAlarms, wholeTables, wideStatements } from "./access-problems.ts";
import { gatewayTiming, lostInvocations, queues, sources, timing } from "./queue-problems.ts";
import { namesIn, type Template } from "./template.ts";

/** The problems that neither CloudFormation nor its schemas detect, but which would occur when it runs. */
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

/** References to a resource that a condition may remove: without a gateway, nothing could be deployed. */
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
