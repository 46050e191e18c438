import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { startFauxqs } from "fauxqs";
import { ofType, type Template } from "../../deploy/template.ts";
import { createResolver } from "../artifact/resolve.ts";

/** A server that accepts a deployment: STS and CloudFormation in their protocols, S3, and no functions. */
export interface FakeAws {
  /** The environment of a command that uses it. */
  env: Record<string, string>;
  /** The requested actions, in their order. */
  actions: string[];
  stacks: Map<string, FakeStack>;
  /** The resource that cannot be created, and the reason. */
  broken: { id: string; reason: string } | undefined;
  s3: S3Client;
  close(): Promise<void>;
}

export interface FakeStack {
  region: string;
  status: string;
  template: Template;
  tags: Record<string, string>;
}

export const ACCOUNT = "123456789012";

type Form = Record<string, string>;
type Xml = string | number | undefined | Xml[] | { [name: string]: Xml };

/** As in the query protocol: lists consist of members. */
function xml(value: Xml): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.map((item) => `<member>${xml(item)}</member>`).join("");
  if (typeof value !== "object")
    return String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return Object.entries(value)
    .map(([name, inner]) => `<${name}>${xml(inner)}</${name}>`)
    .join("");
}

class Refusal extends Error {}

export async function startFakeAws(): Promise<FakeAws> {
  const buckets = await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
  const credentials = { accessKeyId: "fake", secretAccessKey: "fake" };
  const s3 = new S3Client({
    endpoint: `http://127.0.0.1:${buckets.port}`,
    region: "eu-west-1",
    credentials,
    forcePathStyle: true,
  });
  const stacks = new Map<string, FakeStack>();
  const changes = new Map<string, { template: Template; tags: Record<string, string>; region: string }>();
  const fake: Omit<FakeAws, "env" | "close"> = { actions: [], stacks, broken: undefined, s3 };
  /** Kept for deleted stacks too. */
  const events = new Map<string, Xml[]>();
  let clock = Date.now();

  const nameOf = (stack: string) => (stack.startsWith("arn:") ? (stack.split("/")[1] ?? "") : stack);
  const idOf = (stack: string, region = stacks.get(stack)?.region) =>
    `arn:aws:cloudformation:${region}:${ACCOUNT}:stack/${stack}/1`;
  const physicalOf = (stack: string, id: string) => `${stack}-${id.toLowerCase()}`;

  function required(stack: string): FakeStack {
    const found = stacks.get(nameOf(stack));
    if (!found) throw new Refusal(`Stack with id ${stack} does not exist`);
    return found;
  }

  async function templateOf({ TemplateBody, TemplateURL = "" }: Form): Promise<Template> {
    if (TemplateBody) return JSON.parse(TemplateBody) as Template;
    const [, Bucket, ...key] = new URL(TemplateURL).pathname.split("/");
    const Key = key.map(decodeURIComponent).join("/");
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    return JSON.parse((await Body?.transformToString()) ?? "") as Template;
  }

  function tell(name: string, resource: string, type: string, status: string, reason?: string): void {
    clock += 1;
    const event = {
      EventId: String(clock),
      StackId: idOf(name),
      StackName: name,
      LogicalResourceId: resource,
      PhysicalResourceId: resource === name ? idOf(name) : physicalOf(name, resource),
      ResourceType: type,
      Timestamp: new Date(clock).toISOString(),
      ResourceStatus: status,
      ResourceStatusReason: reason,
    };
    events.set(name, [event, ...(events.get(name) ?? [])]);
  }

  /** Creates the resources one after the other; rolls back at the first one that cannot be created. */
  async function carryOut(name: string, verb: "CREATE" | "UPDATE"): Promise<void> {
    const { template, tags, region } = changes.get(name) ?? {
      template: { Resources: {} },
      tags: {},
      region: "",
    };
    const before = stacks.get(name);
    stacks.set(name, { region, status: `${verb}_COMPLETE`, template, tags });
    const stack = stacks.get(name) as FakeStack;
    tell(name, name, "AWS::CloudFormation::Stack", `${verb}_IN_PROGRESS`);
    for (const [id, { Type }] of Object.entries(template.Resources)) {
      if (id === "ServerlessDeploymentBucket")
        await s3.send(new CreateBucketCommand({ Bucket: physicalOf(name, id) })).catch(() => {});
      if (id !== fake.broken?.id) {
        tell(name, id, Type, `${verb}_COMPLETE`);
        continue;
      }
      tell(name, id, Type, `${verb}_FAILED`, fake.broken.reason);
      stack.status = `${verb}_ROLLBACK_COMPLETE`;
      stack.template = before?.template ?? template;
      break;
    }
    tell(name, name, "AWS::CloudFormation::Stack", stack.status);
  }

  function outputsOf(name: string, { template, region }: FakeStack): Xml[] {
    const resolve = createResolver(template, {
      ref: (id) => physicalOf(name, id),
      attribute: (id, attribute) => `${physicalOf(name, id)}.${attribute}`,
      pseudo: {
        "AWS::Region": region,
        "AWS::AccountId": ACCOUNT,
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::Partition": "aws",
      },
    });
    const isThere = (condition: string | undefined) =>
      condition === undefined || resolve({ "Fn::If": [condition, true, false] }) === true;
    return Object.entries(template.Outputs ?? {})
      .filter(([, { Condition }]) => isThere(Condition))
      .map(([OutputKey, { Value }]) => ({ OutputKey, OutputValue: String(resolve(Value)) }));
  }

  const listOf = (form: Form, name: string) =>
    Object.keys(form)
      .filter((key) => key.startsWith(`${name}.member.`) && key.endsWith(".Key"))
      .map((key) => [form[key] ?? "", form[key.replace(/Key$/, "Value")] ?? ""] as const);

  const ACTIONS: Record<string, (form: Form, region: string) => Xml | Promise<Xml>> = {
    GetCallerIdentity: () => ({ Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:user/fake`, UserId: "fake" }),
    DescribeStacks({ StackName = "" }) {
      const stack = required(StackName);
      const name = nameOf(StackName);
      const Outputs = outputsOf(name, stack);
      const one = { StackId: idOf(name), StackName: name, StackStatus: stack.status, Outputs };
      return { Stacks: [{ ...one, CreationTime: new Date(0).toISOString() }] };
    },
    async CreateChangeSet(form, region) {
      const { StackName = "", ChangeSetType } = form;
      if (ChangeSetType === "UPDATE") required(StackName);
      const tags = Object.fromEntries(listOf(form, "Tags"));
      changes.set(StackName, { template: await templateOf(form), tags, region });
      return {
        Id: `arn:aws:cloudformation:${region}:${ACCOUNT}:changeSet/c/1`,
        StackId: idOf(StackName, region),
      };
    },
    DescribeChangeSet: ({ StackName = "", ChangeSetName }, region) => ({
      StackName,
      ChangeSetName,
      ChangeSetId: "c",
      StackId: idOf(StackName, region),
      Status: "CREATE_COMPLETE",
      ExecutionStatus: "AVAILABLE",
    }),
    async ExecuteChangeSet({ StackName = "" }) {
      await carryOut(StackName, stacks.has(StackName) ? "UPDATE" : "CREATE");
      return {};
    },
    DeleteChangeSet: () => ({}),
    ValidateTemplate: () => ({}),
    DescribeStackEvents: ({ StackName = "" }) => ({ StackEvents: events.get(nameOf(StackName)) ?? [] }),
    DescribeStackResource({ StackName = "", LogicalResourceId = "" }) {
      required(StackName);
      return {
        StackResourceDetail: {
          LogicalResourceId,
          PhysicalResourceId: physicalOf(nameOf(StackName), LogicalResourceId),
          ResourceType: "AWS::S3::Bucket",
          ResourceStatus: "CREATE_COMPLETE",
        },
      };
    },
    ListStackResources: ({ StackName = "" }) => ({
      StackResourceSummaries: Object.entries(required(StackName).template.Resources).map(
        ([id, { Type }]) => ({
          LogicalResourceId: id,
          PhysicalResourceId: physicalOf(StackName, id),
          ResourceType: Type,
          ResourceStatus: "CREATE_COMPLETE",
        }),
      ),
    }),
    GetTemplate: ({ StackName = "" }) => ({ TemplateBody: JSON.stringify(required(StackName).template) }),
    DeleteStack({ StackName = "" }) {
      const name = nameOf(StackName);
      tell(name, name, "AWS::CloudFormation::Stack", "DELETE_COMPLETE");
      stacks.delete(name);
      return {};
    },
  };

  /** Passes a request on to the buckets, which have no versioning. */
  async function passOn(
    { method, url = "", headers }: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
  ) {
    const [, Bucket] = new URL(url, "http://s3").pathname.split("/");
    if (new URL(url, "http://s3").searchParams.has("versions")) {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
      const versions = Contents.map(({ Key }) => `<Version>${xml({ Key, VersionId: "1" })}</Version>`);
      response.end(`<ListVersionsResult>${versions.join("")}</ListVersionsResult>`);
      return;
    }
    const target = { host: "127.0.0.1", port: buckets.port, path: url, method, headers };
    const outgoing = httpRequest(target, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", (error) => response.destroy(error));
    outgoing.end(body);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { url = "", headers } = request;
    const send = (status: number, type: string, content: string) =>
      response.writeHead(status, { "content-type": type }).end(content);
    const target = String(headers["x-amz-target"] ?? "");
    if (target || url.startsWith("/2015-03-31/functions/")) {
      fake.actions.push(target || `${request.method} ${url}`);
      const __type = target ? "RepositoryNotFoundException" : "ResourceNotFoundException";
      send(target ? 400 : 404, "application/json", JSON.stringify({ __type, message: "not found" }));
      return;
    }
    if (url !== "/") return passOn(request, body, response);
    const form = Object.fromEntries(new URLSearchParams(body.toString()));
    const { Action = "" } = form;
    fake.actions.push(Action);
    const [, region = ""] = /Credential=[^/]+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? "") ?? [];
    try {
      const run = ACTIONS[Action];
      if (!run) throw new Refusal(`no action ${Action}`);
      const result = await run(form, region);
      send(200, "text/xml", xml({ [`${Action}Response`]: { [`${Action}Result`]: result } }));
    } catch (thrown) {
      const refusal = { Type: "Sender", Code: "ValidationError", Message: (thrown as Error).message };
      send(thrown instanceof Refusal ? 400 : 500, "text/xml", xml({ ErrorResponse: { Error: refusal } }));
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(fake, {
    env: {
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: "fake",
      AWS_SECRET_ACCESS_KEY: "fake",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      // How often the framework checks the state of a stack, in ms.
      SLS_AWS_MONITORING_FREQUENCY: "20",
    },
    async close() {
      s3.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await buckets.stop();
    },
  });
}

/** The functions of a stack, by their names. */
export const functionsOf = ({ template }: FakeStack) =>
  ofType(template, "AWS::Lambda::Function").map(([, { Properties }]) => String(Properties.FunctionName));
