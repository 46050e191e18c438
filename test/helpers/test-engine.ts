// npm run test:engine: runs the tests that use DynamoDB, SQS or S3 on the services that the AWS_ENDPOINT_URL variables
// name. Further arguments are passed to Node's test runner.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VARIABLES = ["", "_DYNAMODB", "_SQS", "_S3"].map((service) => `AWS_ENDPOINT_URL${service}`);
const SERVICES = "local/aws.ts";
/** The file of the commands, which tests start in their own processes. */
const COMMANDS = "cli/gatehook.ts";

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

function importsOf(file: string): string[] {
  const source = read(file);
  return [...source.matchAll(/from "(\.[^"]+\.ts)"/g)].map(([, path = ""]) =>
    normalize(join(dirname(file), path)),
  );
}

function reachable(from: string): Set<string> {
  const seen = new Set([from]);
  for (const file of seen) for (const imported of importsOf(file)) seen.add(imported);
  return seen;
}

function usesServices(file: string): boolean {
  const files = [...reachable(file)];
  return (
    files.includes(SERVICES) || files.some((one) => one.startsWith("test/") && read(one).includes(COMMANDS))
  );
}

const suites = () =>
  readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`)
    .filter(usesServices)
    .sort();

const named = VARIABLES.filter((name) => process.env[name]);
if (named.length === 0) {
  console.error(
    `test:engine runs the suites on services of yours: set ${VARIABLES.join(", ")}, one or more of them`,
  );
  process.exit(2);
}
for (const name of named) console.log(`${name}=${process.env[name]}`);
// One after the other: many tests run `gatehook dev` in the same folder, so with the same tables.
const args = ["--test", "--test-concurrency=1", ...process.argv.slice(2), ...suites()];
const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
process.exit(status ?? 1);
