import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Artifact } from "../../deploy/package.ts";
import { ofType } from "../../deploy/template.ts";
import { startAws } from "../../local/aws.ts";
import { unzip } from "../../local/functions.ts";
import { type Clients, createClients } from "../../local/resources.ts";
import { startValueStores } from "../helpers/value-stores.ts";
import { createDeployed, type Deployed, type FunctionProperties } from "./deployed.ts";
import { startGate } from "./gate.ts";
import { createTemplateResources } from "./local-resources.ts";
import { grantsOf } from "./policy.ts";
import { arn, namesOf } from "./references.ts";
import { createResolver } from "./resolve.ts";

/** What the template makes, here: its tables, queues and bucket, and its functions from their zips. */
export interface Deployment {
  functions: Map<string, Deployed>;
  clients: Clients;
  /** The name or URL of a resource, by its logical id. */
  ref(id: string): string;
  close(): Promise<void>;
}

const SECRET = /^\{\{resolve:secretsmanager:.+\}\}$/;

/** `secret`: what each secret of the template resolves to. */
export async function deploy({ template, zips }: Artifact, secret: string): Promise<Deployment> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const aws = await startAws(process.env);
    closers.push(aws.close);
    const clients = createClients(aws);
    closers.push(() => Object.values(clients).map((client) => client.destroy()));
    const folder = mkdtempSync(join(tmpdir(), "gatehook-zips-"));
    closers.push(() => rmSync(folder, { recursive: true }));

    const values = await startValueStores("a value");
    closers.push(values.close);
    const upstream = {
      DYNAMODB: aws.env.AWS_ENDPOINT_URL_DYNAMODB ?? "",
      SQS: aws.env.AWS_ENDPOINT_URL_SQS ?? "",
      S3: aws.env.AWS_ENDPOINT_URL_S3 ?? "",
      SSM: values.url,
      SECRETS_MANAGER: values.url,
    };
    const region = aws.env.AWS_REGION ?? "";
    const resolverAt = (queueHost: string) =>
      createResolver(template, namesOf(template, { region, queueHost }));
    const resolve = resolverAt(upstream.SQS);
    const roles = new Map(
      ofType(template, "AWS::IAM::Role").map(([id, { Properties }]) => [
        arn("iam", "", `role/${id}`),
        Properties,
      ]),
    );
    await createTemplateResources(template, clients, resolve);

    async function deployFunction(raw: Record<string, unknown>): Promise<Deployed> {
      const grants = grantsOf(resolve(roles.get(resolve(raw.Role) as string)));
      const gate = await startGate({
        grants,
        upstream,
        arnPrefix: (service) => arn(service, region, "").slice(0, -1),
      });
      closers.push(gate.close);
      const properties = resolverAt(gate.url)(raw) as FunctionProperties;
      const { Variables } = properties.Environment;
      for (const [key, value] of Object.entries(Variables)) Variables[key] = value.replace(SECRET, secret);
      const name = properties.Handler.split("/")[1] ?? "";
      const taskRoot = join(folder, name);
      unzip(zips.get(name)?.path ?? "", taskRoot);
      const services = Object.keys(upstream).map((service) => [`AWS_ENDPOINT_URL_${service}`, gate.url]);
      const env = { ...aws.env, ...Object.fromEntries(services) };
      const deployed = createDeployed({ name, properties, grants, gate, taskRoot, env });
      const start: Deployed["start"] = async (changes) => {
        const container = await deployed.start(changes);
        closers.push(container.close);
        return container;
      };
      return { ...deployed, start };
    }

    const functions = new Map<string, Deployed>();
    for (const [, { Properties }] of ofType(template, "AWS::Lambda::Function")) {
      const deployed = await deployFunction(Properties);
      functions.set(deployed.name, deployed);
    }
    return { functions, clients, ref: (id) => resolve({ Ref: id }) as string, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
