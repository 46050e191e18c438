import { LogFormatter, Logger, LogItem } from "@aws-lambda-powertools/logger";
import type { LogAttributes, UnformattedAttributes } from "@aws-lambda-powertools/logger/types";
import type { DebugLog } from "../lib/log.ts";

/** The members of every line; each log group belongs to one function, so the lines do not name it. */
class LineFormatter extends LogFormatter {
  formatAttributes(line: UnformattedAttributes, fields: LogAttributes): LogItem {
    const { logLevel: level, message, timestamp, xRayTraceId: xray_trace_id } = line;
    const attributes = { level, message, timestamp: this.formatTimestamp(timestamp), xray_trace_id };
    return new LogItem({ attributes }).addAttributes(fields);
  }
}

let waiting = "";

/**
 * All lines of one turn of the event loop are written together at its end, since a write costs as much as a line.
 * Lambda freezes a container only after the answer was sent, which takes several more turns.
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

// Writes the remaining lines when the process ends.
process.on("exit", flush);

class LineLogger extends Logger {
  protected override printLog(_level: number, line: LogItem): void {
    line.prepareForPrint();
    write(`${JSON.stringify(line.getAttributes(), this.getJsonReplacer())}\n`);
  }
}

/** JSON lines on standard output, with a minimum level of POWERTOOLS_LOG_LEVEL. docs/operate.md lists the lines. */
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
