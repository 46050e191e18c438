import { Logger } from "@aws-lambda-powertools/logger";
import type { Log } from "../lib/log.ts";

/** One JSON line per fact on stdout; the level is POWERTOOLS_LOG_LEVEL's. */
export function createLog(serviceName: string): Log {
  const logger = new Logger({ serviceName });
  return {
    info: (message, fields) => logger.info(message, fields),
    warn: (message, fields) => logger.warn(message, fields),
    error: (message, fields) => logger.error(message, fields),
  };
}
