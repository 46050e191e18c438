// docs/performance.md and the costs of docs/deploy.md say what bench/results.json has, and nothing else.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { billOf } from "../../bench/report/bill.ts";
import { charts } from "../../bench/report/charts.ts";
import { withCost } from "../../bench/report/cost-page.ts";
import { measuredOf, project } from "../../bench/report/model.ts";
import { page } from "../../bench/report/page.ts";
import { readStored } from "../../bench/report/results.ts";
import { boundText, isMet, targets } from "../../bench/report/targets.ts";
import { PRICE } from "../../bench/shared/prices.ts";
import { ROOT } from "../../deploy/build.ts";

const stored = readStored();
const read = (file: string) => readFileSync(`${ROOT}docs/${file}`, "utf8");

describe("docs/performance.md", () => {
  it("is what the stored results make (npm run bench -- --page writes it)", () => {
    assert.equal(read("performance.md"), page(stored));
  });

  it("shows every chart, each made of the stored results", () => {
    const made = charts(stored.results);
    const there = readdirSync(`${ROOT}docs/images`).filter((name) => name.startsWith("performance-"));
    assert.deepEqual(there.sort(), Object.keys(made).sort());
    for (const [name, text] of Object.entries(made)) {
      assert.equal(read(`images/${name}`), text, name);
      assert.doesNotMatch(text, /NaN|undefined|Infinity/, name);
    }
    const shown = [...read("performance.md").matchAll(/\]\(images\/([^)]+)\)/g)].map(([, name = ""]) => name);
    assert.deepEqual(shown.sort(), Object.keys(made).sort());
    for (const name of shown) assert.ok(existsSync(`${ROOT}docs/images/${name}`), name);
  });

  it("has a figure in every place", () => {
    assert.doesNotMatch(read("performance.md"), /NaN|undefined|Infinity|\bnull\b/);
  });

  it("says of each target whether it is met", () => {
    const text = read("performance.md");
    for (const target of targets(stored.results)) {
      const row = `| ${target.what} | ${target.measured} | ${boundText(target)} | ${isMet(target) ? "yes" : "no"} |`;
      assert.ok(text.includes(row), row);
    }
  });
});

describe("the costs of docs/deploy.md", () => {
  const { cost } = stored.results;

  it("are what the stored results make (npm run bench -- --page writes them)", () => {
    const text = read("deploy.md");
    assert.equal(text, withCost(text, cost));
    assert.doesNotMatch(text, /NaN|undefined|Infinity/);
    assert.ok(text.includes(`| **${cost.usd_per_million.toFixed(2)}** |`));
  });

  it("are those of the units that were measured, by the prices of the code", () => {
    assert.deepEqual(cost.bill, billOf(cost));
    const { sessions, indexes, ledger } = cost.writes;
    assert.equal(sessions + indexes + ledger, cost.write_units);
    const dynamo = cost.write_units * PRICE.writeUnit + cost.read_units * PRICE.readUnit;
    const [writes, reads] = cost.bill.rows.filter(({ what }) => what.startsWith("DynamoDB"));
    assert.equal(((writes?.usd ?? 0) + (reads?.usd ?? 0)).toFixed(2), (dynamo * 1e6).toFixed(2));
    const sum = cost.bill.rows.reduce((all, { usd }) => all + usd, 0);
    assert.equal(sum.toFixed(2), cost.usd_per_million.toFixed(2));
  });

  it("stay below 6.6 USD a million", () => {
    assert.ok(cost.usd_per_million <= 6.6, String(cost.usd_per_million));
  });
});

describe("the model", () => {
  const measured = measuredOf(stored.results.pipeline, 10);
  const load = { eventsPerSecond: 10_000, keys: 1_000_000, batch: 10 };

  it("takes its units from what was measured", () => {
    const { write_units, read_units, writes } = stored.results.pipeline;
    assert.equal(writes.sessions + writes.indexes + writes.ledger, write_units);
    const { writeUnitsPerSecond, readUnitsPerSecond } = project(load, measured);
    assert.equal(writeUnitsPerSecond, write_units * load.eventsPerSecond);
    assert.equal(readUnitsPerSecond, read_units * load.eventsPerSecond);
  });

  it("needs as many containers as invocations are under way", () => {
    const { containers, invocationMs } = project(load, { ...measured, cpuMs: 0, callsPerBatch: 2 });
    assert.equal(containers, (1_000 * invocationMs) / 1_000);
    const twice = project({ ...load, eventsPerSecond: 20_000 }, { ...measured, cpuMs: 0, callsPerBatch: 2 });
    assert.equal(twice.containers, 2 * containers);
  });

  it("has the limit that is nearest to its quota first", () => {
    const shares = project(load, measured).limits.map(({ need, quota }) => need / quota);
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => b - a),
    );
  });
});
