import { Metrics as Emf } from "@aws-lambda-powertools/metrics";
import type { MiddlewareObj } from "@middy/core";
import type { Context } from "aws-lambda";
import { METRICS, type MetricName, type Metrics } from "../lib/metrics.ts";

/** Metrics that are collected until the end of the invocation. */
export interface EmfMetrics extends Metrics {
  /** Writes the metrics since the last flush. */
  flush(): void;
}

/**
 * Lines in CloudWatch's embedded metric format on stdout, so that no API call is needed.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function createMetrics(serviceName: string): EmfMetrics {
  const namespace = process.env.POWERTOOLS_METRICS_NAMESPACE || "gatehook";
  const start = (dimensions: Record<string, string> = {}) =>
    new Emf({ namespace, serviceName, defaultDimensions: dimensions });
  const total = start();
  // A line's dimensions apply to all of its metrics, so each code has a line of its own.
  const coded = new Map<string, Emf>();

  const add = (line: Emf, name: MetricName, value: number) =>
    void line.addMetric(name, METRICS[name].unit, value);
  // Summed up, so that a batch has one value of each metric instead of one for each event.
  const counts = new Map<MetricName, number>();
  const addUp = (name: MetricName, value: number) => void counts.set(name, (counts.get(name) ?? 0) + value);

  return {
    count(name, value = 1) {
      if (value > 0) addUp(name, value);
    },
    countBy(name, code) {
      const { by } = METRICS[name];
      const line = coded.get(`${by} ${code}`) ?? start({ [by]: code });
      coded.set(`${by} ${code}`, line);
      add(line, name, 1);
      addUp(name, 1);
    },
    observe: (name, ms) => add(total, name, ms),
    flush() {
      for (const [name, value] of counts) add(total, name, value);
      counts.clear();
      for (const line of [total, ...coded.values()]) if (line.hasStoredMetrics()) line.publishStoredMetrics();
    },
  };
}

/**
 * Writes the metrics at the end of each invocation, even if it failed. Must be the first middleware: later ones end
 * before it.
 */
export function withMetrics(metrics: EmfMetrics): MiddlewareObj<unknown, unknown, Error, Context> {
  const end = ({ context }: { context: Context }) => {
    metrics.observe("RemainingTime", context.getRemainingTimeInMillis());
    metrics.flush();
  };
  return { after: end, onError: end };
}
