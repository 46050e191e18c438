// npm run soak:isolation [events]: runs mixed events with isolation by event, and compares each effect with that in a
// new sandbox. Exit code 1 if one differs.
import { runDifferential } from "../test/hostile/differential.ts";

const PER_ROUND = 10_000;
const events = Number(process.argv[2] ?? 60_000);
const sum = { compared: 0, hostile: 0, rebuilt: 0, divergent: 0 };
const started = performance.now();
for (let seed = 1; (seed - 1) * PER_ROUND < events; seed += 1) {
  const { divergences, ...round } = await runDifferential(PER_ROUND, { seed, payloads: 4 });
  sum.compared += round.compared;
  sum.hostile += round.hostile;
  sum.rebuilt += round.rebuilt;
  sum.divergent += divergences.length;
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(
    `${sum.compared} events compared, ${sum.hostile} hostile between them, ${sum.rebuilt} sandboxes rebuilt, ` +
      `${sum.divergent} divergences (${seconds} s)`,
  );
  for (const divergence of divergences.slice(0, 3)) console.log(JSON.stringify(divergence));
}
if (sum.divergent > 0) process.exitCode = 1;
