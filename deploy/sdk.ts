// Removes parts of the AWS SDK that the functions do not use. A bundler cannot detect them, and all bundled code is
// parsed at each cold start.
import { readFileSync } from "node:fs";
import type { Metafile, Plugin } from "esbuild";

/** A file of the SDK and its replacement. */
interface Replacement {
  file: RegExp;
  contents: string;
  /** The files that would be bundled again if the SDK moved that file. */
  gone: RegExp;
}

const REPLACEMENTS: Replacement[] = [
  {
    // Lambda passes credentials to a function in the environment. The SDK's chain searches eight more places.
    file: /@aws-sdk\/credential-provider-node\/dist-es\/index\.js$/,
    contents: 'export { fromEnv as defaultProvider } from "@aws-sdk/credential-provider-env";',
    gone: /@aws-sdk\/(credential-provider-(?!env\/|node\/)|nested-clients|token-providers)|credential-provider-imds/,
  },
  {
    // A function has no ~/.aws; gatehook dev does not run functions with a user's own.
    file: /shared-ini-file-loader\/loadSharedConfigFiles\.js$/,
    contents: `export { CONFIG_PREFIX_SEPARATOR } from "./constants";
export const loadSharedConfigFiles = async () => ({ configFile: {}, credentialsFile: {} });`,
    gone: /shared-ini-file-loader\/parseIni\.js$/,
  },
  {
    // None of the calls has an event stream as its answer.
    file: /@smithy\/core\/dist-es\/submodules\/event-streams\/index\.js$/,
    contents: `export const eventStreamSerdeProvider = () => undefined;
export const resolveEventStreamSerdeConfig = (config) => config;
export class EventStreamSerde {
  constructor() {
    throw new Error("streams of events are left out of the functions: see deploy/sdk.ts");
  }
}`,
    gone: /event-streams\/eventstream-codec\//,
  },
  {
    // Filled by a middleware that none of the clients uses.
    file: /@aws-sdk\/endpoint-cache\/dist-es\/index\.js$/,
    contents: "export class EndpointCache {}",
    gone: /node_modules\/mnemonist\//,
  },
];

/** Every operation of a service, with the shapes of its input and output. */
const SCHEMAS = /@aws-sdk\/.*\/schemas\/schemas_\d+\.js$/;

/** Removes the parts that no function needs. */
export const leanSdk: Plugin = {
  name: "lean-sdk",
  setup({ onLoad }) {
    for (const { file, contents } of REPLACEMENTS) onLoad({ filter: file }, () => ({ contents }));
    onLoad({ filter: SCHEMAS }, ({ path }) => ({ contents: withPlainNames(readFileSync(path, "utf8")) }));
  },
};

/**
 * The names of members are constants there, `{ [_hH]: … }`. The bundler assumes that this could run code, so it keeps
 * each operation, whether or not it is used.
 */
function withPlainNames(schemas: string): string {
  const constants = new Map(
    Array.from(schemas.matchAll(/^const (\w+) = (".*");$/gm), ([, name = "", text = ""]) => [name, text]),
  );
  return schemas.replace(/\[(\w+)\]:/g, (member, name: string) => {
    const text = constants.get(name);
    return text === undefined ? member : `${text}:`;
  });
}

/** Throws if a removed part is bundled nevertheless: an upgrade of the SDK may have moved its files. */
export function checkLean({ inputs, outputs }: Metafile): void {
  const parts = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const bundled = parts.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
  const whole = parts.find(
    ([path, { bytesInOutput }]) => SCHEMAS.test(path) && bytesInOutput > (inputs[path]?.bytes ?? 0) / 2,
  );
  const found = [
    ...REPLACEMENTS.flatMap(({ gone }) => bundled.find((path) => gone.test(path)) ?? []),
    ...(whole ? [`all of ${whole[0]}`] : []),
  ];
  if (found.length > 0)
    throw new Error(`a function has ${found.join(", ")}: the SDK is no longer as deploy/sdk.ts knows it`);
}
