import { randomUUID } from "node:crypto";
import { after, before } from "node:test";
import { type LocalAws, startAws } from "../../local/aws.ts";
import { type Clients, createClients, createResources, type Resources } from "../../local/resources.ts";

/** DynamoDB, SQS and S3 of the local stack, without its functions. `env` and `clients` are set when tests run. */
export interface TestServices {
  /** The environment variables with which other processes use the services. */
  readonly env: LocalAws["env"];
  readonly clients: Clients;
  /** Creates separate tables, queues and a bucket; can be called in a hook too. */
  newResources(name: string): Promise<Resources["env"]>;
}

/** Starts them before the tests of the file or suite that calls this, and ends them after these tests. */
export function useServices(): TestServices {
  let starting: Promise<Started> | undefined;
  let started: Started | undefined;
  function services(): Started {
    if (!started)
      throw new Error("the services have not started yet: use them in a test, or await newResources");
    return started;
  }
  before(async () => {
    starting = start();
    started = await starting;
  });
  after(async () => {
    for (const client of Object.values(services().clients)) client.destroy();
    await services().aws.close();
  });
  return {
    get env() {
      return services().aws.env;
    },
    get clients() {
      return services().clients;
    },
    async newResources(name) {
      // The hooks of a file do not wait for each other.
      await starting;
      const prefix = `${name}-${randomUUID().slice(0, 8)}`;
      const how = { prefix, visibilitySeconds: 30, receiveLimit: 5 };
      return (await createResources(services().clients, how)).env;
    },
  };
}

interface Started {
  aws: LocalAws;
  clients: Clients;
}

async function start(): Promise<Started> {
  const aws = await startAws(process.env);
  return { aws, clients: createClients(aws) };
}
