import { text as readStream } from "node:stream/consumers";
import { AppError } from "../../lib/errors.ts";
import { ID_HEADER, parseSecrets, type Secrets, TIMESTAMP_HEADER, verify } from "../../lib/webhooks/sign.ts";
import { printErrorText, printJson, printText } from "../terminal/print.ts";
import { readText, UsageError } from "../terminal/usage.ts";

/** `header`: lines `name: value`; `headers`: a file of such lines or of JSON; `tolerance`: in seconds. */
export interface VerifyOptions {
  header: string[];
  headers?: string;
  tolerance: number;
  json?: boolean;
}

const SECRETS = "WEBHOOK_SECRETS";

/** `gatehook webhook verify`: verifies a webhook as a receiver does, with the reason for a rejection. */
export async function webhookVerify(file: string, options: VerifyOptions): Promise<void> {
  const body = file === "-" ? await readStream(process.stdin) : await readText(file, "body");
  const headers = await readHeaders(options);
  const secrets = readSecrets(process.env[SECRETS]);
  const now = Math.floor(Date.now() / 1000);
  const result = verify(secrets, { headers, body }, now, options.tolerance);
  const id = headers.get(ID_HEADER) ?? "";
  if (!result.ok) process.exitCode = 1;
  if (options.json) {
    const timestamp = Number(headers.get(TIMESTAMP_HEADER));
    printJson(
      result.ok
        ? { result: "verified", id, timestamp, secret: result.secret }
        : { result: "refused", id, reason: result.reason },
    );
  } else if (result.ok) printText(`verified: ${id} is signed by secret ${result.secret} of ${SECRETS}`);
  else printErrorText(`not verified: ${result.reason}`);
}

function readSecrets(text = ""): Secrets {
  try {
    return parseSecrets(SECRETS, text);
  } catch (thrown) {
    if (thrown instanceof AppError) throw new UsageError(thrown.message, { cause: thrown });
    throw thrown;
  }
}

async function readHeaders({ header, headers: file }: VerifyOptions): Promise<Map<string, string>> {
  const text = file === undefined ? "" : await readText(file, "headers' file");
  const written = text.trimStart().startsWith("{") ? ofJson(text, file) : ofLines(text);
  const given = header.map((line) => {
    const parts = headerOf(line);
    if (!parts) throw new UsageError(`--header has the form "name: value", such as "${ID_HEADER}: msg_1"`);
    return parts;
  });
  return new Map([...written, ...given]);
}

/** Undefined for a line that is not a header, such as the status line. */
function headerOf(line: string): [name: string, value: string] | undefined {
  const [, name, value = ""] = /^([^\s:]+):(.*)$/s.exec(line) ?? [];
  return name === undefined ? undefined : [name.toLowerCase(), value.trim()];
}

const ofLines = (text: string) =>
  text.split(/\r?\n/).flatMap((line) => [headerOf(line)].filter((one) => !!one));

/** Errors do not quote the text, since it may contain tokens. */
function ofJson(text: string, file = ""): [name: string, value: string][] {
  try {
    const members = Object.entries(JSON.parse(text) as Record<string, unknown>);
    return members.map(([name, value]) => [name.toLowerCase(), String(value)]);
  } catch (cause) {
    throw new UsageError(`the headers' file ${file} begins as JSON, but is not a JSON object`, { cause });
  }
}
