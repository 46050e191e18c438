import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ofType, type Template } from "../../deploy/template.ts";
import { parseEmf } from "../helpers/emf.ts";
import type { World } from "./world.ts";

interface Alarm {
  Namespace?: string;
  MetricName: string;
  Dimensions: { Name: string; Value: unknown }[];
}

export function alarmSuite(template: () => Template, world: () => World): void {
  describe("an alarm on a metric of ours", () => {
    it("watches what a packaged function wrote in this run", () => {
      // By name, as CloudWatch knows a metric: its namespace, and all of its dimensions.
      const written = [...world().functions.values()]
        .flatMap(({ lines }) => lines.flatMap((line) => parseEmf(line) ?? []))
        .flatMap((line) =>
          line._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions: [names], Metrics }) =>
            Metrics.map(({ Name }) =>
              [Namespace, Name, ...names.map((name) => `${name}=${line[name]}`)].join(" "),
            ),
          ),
        );
      const alarms = ofType(template(), "AWS::CloudWatch::Alarm")
        .map(([, { Properties }]) => Properties as unknown as Alarm)
        .filter(({ Namespace }) => Namespace && !Namespace.startsWith("AWS/"));
      assert.ok(alarms.length >= 2);
      for (const { Namespace, MetricName, Dimensions } of alarms) {
        const name = [Namespace, MetricName, ...Dimensions.map(({ Name, Value }) => `${Name}=${Value}`)].join(
          " ",
        );
        assert.ok(written.includes(name), `nothing writes ${name}`);
      }
    });
  });
}
