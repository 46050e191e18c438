import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";
import type { Artifact } from "../../deploy/package.ts";
import { ofType, type Template } from "../../deploy/template.ts";
import { startAws } from "../../local/aws.ts";
import { type LocalFunction, startFunction } from "../../local/lambda/lambda.ts";
import { type Clients, createClients } from "../../local/resources.ts";
import { type Gate, startGate } from "./gate.ts";
import { createTemplateResources } from "./local-resources.ts";
import { type Grant, grantsOf } from "./policy.ts";
import { createResolver } from "./resolve.ts";

/** A packaged function, as it would run on AWS: from its zip, under its role, with the template's environment. */
export interface Deployed {
  name: string;
  /** The variables that name a resource. */
  required: string[];
  grants: Grant[];
  gate: Gate;
  /** Each line that any of its containers wrote. */
  lines: string[];
  /** The first line that fits, among those that came already and those to come. */
  line(fits: (line: string) => boolean): Promise<string>;
  /** Starts a container; what is given takes the place of the template's environment. */
  start(changes?: Record<string, string | undefined>): Promise<LocalFunction>;
}

export interface Deployment {
  functions: Map<string, Deployed>;
  clients: Clients;
  /** Names and URLs of the resources, by logical id. */
  ref(id: string): string;
  /** The value of the secret that the template makes. */
  token: string;
  close(): Promise<void>;
}

const ACCOUNT = "000000000000";
const RUNTIME = /^nodejs24\.x$/;

interface FunctionProperties {
  FunctionName: string;
  Handler: string;
  Runtime: string;
  Role: string;
  Timeout: number;
  MemorySize: number;
  Environment: { Variables: Record<string, string> };
}

export async function deploy({ template, zips }: Artifact): Promise<Deployment> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const aws = await startAws(process.env);
    closers.push(aws.close);
    const clients = createClients(aws);
    closers.push(async () => {
      for (const client of Object.values(clients)) client.destroy();
    });
    const endpoint = (name: string) => aws.env[`AWS_ENDPOINT_URL_${name}`] ?? "";
    const region = aws.env.AWS_REGION ?? "";
    const token = crypto.randomUUID();
    const resolverAt = (queueHost: string) =>
      createResolver(template, namesOf(template, { region, queueHost }));
    const resolve = resolverAt(endpoint("SQS"));
    await createTemplateResources(template, clients, resolve);
    const folder = mkdtempSync(join(tmpdir(), "gatehook-zips-"));
    closers.push(async () => rmSync(folder, { recursive: true }));

    async function deployFunction(name: string, id: string): Promise<Deployed> {
      const role = ofType(template, "AWS::IAM::Role").find(
        ([roleId]) => roleArn(roleId) === (resolve(template.Resources[id]?.Properties.Role) as string),
      );
      const grants = grantsOf(resolve(role?.[1].Properties));
      const gate = await startGate({
        grants,
        upstream: { DYNAMODB: endpoint("DYNAMODB"), SQS: endpoint("SQS"), S3: endpoint("S3") },
        arnPrefix: (service) => `arn:aws:${service}:${region}:${ACCOUNT}`,
      });
      closers.push(gate.close);
      const properties = resolverAt(gate.url)(template.Resources[id]?.Properties) as FunctionProperties;
      if (!RUNTIME.test(properties.Runtime)) throw new Error(`${name} is for ${properties.Runtime}`);
      const taskRoot = join(folder, name);
      unzip(zips.get(name)?.path ?? "", taskRoot);
      const env = Object.fromEntries(
        Object.entries(properties.Environment.Variables).map(([key, value]) => [
          key,
          value.replace(/^\{\{resolve:secretsmanager:.*\}\}$/, token),
        ]),
      );
      const services = Object.fromEntries(
        ["DYNAMODB", "SQS", "S3"].map((service) => [`AWS_ENDPOINT_URL_${service}`, gate.url]),
      );
      const raw = (template.Resources[id]?.Properties as unknown as FunctionProperties).Environment.Variables;
      const required = Object.keys(env).filter((key) => typeof raw[key] !== "string");
      const lines: string[] = [];
      const listeners = new Set<(line: string) => void>();
      return {
        name,
        required,
        grants,
        gate,
        lines,
        line: (fits) =>
          new Promise((resolve) => {
            const known = lines.find(fits);
            if (known !== undefined) return resolve(known);
            const listener = (line: string) => {
              if (!fits(line)) return;
              listeners.delete(listener);
              resolve(line);
            };
            listeners.add(listener);
          }),
        async start(changes = {}) {
          const all = { ...aws.env, ...env, ...services, ...changes };
          const container = await startFunction({
            name: properties.FunctionName,
            handler: properties.Handler,
            taskRoot,
            moduleEnding: ".mjs",
            env: Object.fromEntries(
              Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
            ),
            timeoutMs: properties.Timeout * 1000,
            memoryMb: properties.MemorySize,
            onLine(line) {
              lines.push(line);
              for (const listener of listeners) listener(line);
            },
          });
          closers.push(container.close);
          return container;
        },
      };
    }

    const functions = new Map<string, Deployed>();
    for (const [id, { Properties }] of ofType(template, "AWS::Lambda::Function")) {
      const name = /^dist\/([^/]+)\//.exec(Properties.Handler as string)?.[1] ?? id;
      functions.set(name, await deployFunction(name, id));
    }
    return { functions, clients, ref: (id) => resolve({ Ref: id }) as string, token, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

const roleArn = (id: string) => `arn:aws:iam::${ACCOUNT}:role/${id}`;

/** References as AWS would answer them, for resources whose name the template sets. */
function namesOf(template: Template, { region, queueHost }: { region: string; queueHost: string }) {
  const pseudo: Record<string, string> = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": region,
    "AWS::URLSuffix": "amazonaws.com",
  };
  const own = (id: string) => template.Resources[id] ?? { Type: "", Properties: {} };
  const nameOf = (id: string): string => {
    const { QueueName, TableName, BucketName, FunctionName } = own(id).Properties;
    const name = QueueName ?? TableName ?? BucketName ?? FunctionName;
    return name === undefined ? id : (createResolver(template, names)(name) as string);
  };
  const names = {
    pseudo,
    ref(id: string): string {
      return own(id).Type === "AWS::SQS::Queue" ? `${queueHost}/${ACCOUNT}/${nameOf(id)}` : nameOf(id);
    },
    attribute(id: string, attribute: string): string {
      const arns: Record<string, string> = {
        "AWS::SQS::Queue": `arn:aws:sqs:${region}:${ACCOUNT}:${nameOf(id)}`,
        "AWS::DynamoDB::Table": `arn:aws:dynamodb:${region}:${ACCOUNT}:table/${nameOf(id)}`,
        "AWS::IAM::Role": roleArn(id),
      };
      const arn = arns[own(id).Type] ?? `arn:aws:test:${region}:${ACCOUNT}:${nameOf(id)}`;
      return attribute === "StreamArn" ? `${arn}/stream/now` : arn;
    },
  };
  return names;
}

function unzip(zip: string, folder: string): void {
  for (const [path, bytes] of Object.entries(unzipSync(readFileSync(zip)))) {
    if (path.endsWith("/")) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}
