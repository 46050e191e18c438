import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Artifact } from "./package.ts";
import { ofType, type Template } from "./template.ts";

/** A template for any tool, and its zips by their keys. */
export interface Portable {
  template: Template;
  zips: Map<string, string>;
}

const PARAMETERS = {
  CodeBucket: {
    Type: "String",
    Description: "The bucket that has the functions' zips, in the stack's region",
  },
  CodePrefix: {
    Type: "String",
    Default: "",
    Description: "What stands before the zips' names there, such as a/",
  },
};

/** The resources that the framework creates for itself. */
const OF_FRAMEWORK = ["ServerlessDeploymentBucket", "ServerlessDeploymentBucketPolicy"];
const OUTPUT_OF_FRAMEWORK = "ServerlessDeploymentBucketName";

/**
 * The template with parameters instead of the framework's own bucket. A zip's key has its content's hash, so that a
 * function changes only when its code does.
 */
export function portableOf({ template, zips }: Artifact): Portable {
  const keys = new Map(
    [...zips].map(([name, { path }]) => {
      const hash = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
      return [name, { path, key: `${name}-${hash}.zip` }] as const;
    }),
  );
  const { Resources, Outputs = {}, ...rest } = structuredClone(template);
  for (const id of OF_FRAMEWORK) delete Resources[id];
  delete Outputs[OUTPUT_OF_FRAMEWORK];
  const portable: Template = { ...rest, Parameters: PARAMETERS, Resources, Outputs };
  for (const [, { Properties }] of ofType(portable, "AWS::Lambda::Function")) {
    const key = keys.get(functionName(Properties))?.key;
    Properties.Code = { S3Bucket: { Ref: "CodeBucket" }, S3Key: { "Fn::Sub": `\${CodePrefix}${key}` } };
  }
  return { template: portable, zips: new Map([...keys.values()].map(({ key, path }) => [key, path])) };
}

/** The name of its zip. */
const functionName = ({ Handler }: Record<string, unknown>) => String(Handler).split("/")[1] ?? "";
