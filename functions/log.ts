import { LogFormatter, Logger, LogItem } from "@aws-lambda-powertools/logger";
import type { LogAttributes, UnformattedAttributes } from "@aws-lambda-powertools/logger/types";
import type { DebugLog } from "../lib/log.ts";

/** The members that every line has; a log group is of one function, so its lines do not say which. */
class LineFormatter extends LogFormatter {
  formatAttributes(line: UnformattedAttributes, fields: LogAttributes): LogItem {
    const { logLevel: level, message, timestamp, xRayTraceId: xray_trace_id } = line;
    const attributes = { level, message, timestamp: this.formatTimestamp(timestamp), xray_trace_id };
    return new LogItem({ attributes }).addAttributes(fields);
  }
}

let waiting = "";

/**
 * What is logged in one turn of the event loop is written together at its end: a write costs as much as a line. Lambda
 * freezes a container only once the answer was sent, which takes more turns than that.
 */
function write(line: string): void {
  if (waiting === "") setImmediate(flush);
  waiting += line;
}

function flush(): void {
  const lines = waiting;
  waiting = "";
  if (lines !== "") process.stdout.write(lines);
}

// A process that ends by itself, or by an error, says all that it had to say.
process.on("exit", flush);

class LineLogger extends Logger {
  protected override printLog(_level: number, line: LogItem): void {
    line.prepareForPrint();
    write(`${JSON.stringify(line.getAttributes(), this.getJsonReplacer())}\n`);
  }
}

/** JSON lines on standard output, from the level POWERTOOLS_LOG_LEVEL on. docs/operate.md lists the lines. */
export function createLog(): DebugLog {
  // Lambda's JSON format sets this variable, which would take precedence over ours.
  delete process.env.AWS_LAMBDA_LOG_LEVEL;
  const logger = new LineLogger({ logFormatter: new LineFormatter() });
  return {
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    warn: (message, fields) => logger.warn(message, fields),
    error: (message, fields) => logger.error(message, fields),
  };
}
