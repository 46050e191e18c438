/** A line in CloudWatch's embedded metric format. */
export interface EmfLine {
  _aws: { Timestamp: number; CloudWatchMetrics: [Directive] };
  [member: string]: unknown;
}

interface Directive {
  Namespace: string;
  Dimensions: [string[]];
  Metrics: { Name: string; Unit: string }[];
}

export function parseEmf(line: string): EmfLine | undefined {
  return line.startsWith('{"_aws"') ? (JSON.parse(line) as EmfLine) : undefined;
}

/** Sums up the metrics of functions: `EventsDone of consumer`, `RunFailures handler-threw of consumer`, … */
export function createEmfSums() {
  const sums: Record<string, number> = {};
  const waiting = new Set<() => void>();
  return {
    sums,
    add(line: EmfLine) {
      const [{ Dimensions, Metrics }] = line._aws.CloudWatchMetrics;
      const [, by] = Dimensions[0];
      for (const { Name, Unit } of Metrics) {
        const values = [line[Name]].flat() as number[];
        const name = `${Name}${by ? ` ${line[by]}` : ""} of ${line.service}`;
        // Times are only counted, since their values depend on the machine.
        sums[name] = values.reduce((sum, value) => sum + (Unit === "Count" ? value : 1), sums[name] ?? 0);
      }
      for (const check of waiting) check();
    },
    /** Resolves when this sum has reached the value. */
    async reached(name: string, value: number): Promise<void> {
      await new Promise<void>((resolve) => {
        const check = () => {
          if ((sums[name] ?? 0) < value) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    },
  };
}
