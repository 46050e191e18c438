// Functions for the figures of all parts.

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2;
}

/** With this many significant digits: results are stored, and a reader compares them. */
export const rounded = (value: number, digits = 3) => Number(value.toPrecision(digits));

/** How many times smaller `better` is. */
export const times = (worse: number, better: number) => rounded(worse / better);

export type Sides<Name extends string, Figures> = Record<Name, () => Promise<Figures>>;

/**
 * Measures the sides in turns, so that other load on the machine affects all of them. The first turn of each is a
 * warm-up and is not kept.
 */
export async function inTurns<Name extends string, Figures>(
  sides: Sides<Name, Figures>,
  rounds: number,
): Promise<Record<Name, Figures[]>> {
  const names = Object.keys(sides) as Name[];
  const taken = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Figures[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      const figures = await sides[name]();
      if (round > 0) taken[name].push(figures);
    }
  }
  return taken;
}

/**
 * The ratio of two sides that were measured in turns: the median of the ratios of the turns, since load on the machine
 * slows both sides of a turn.
 */
export const ratioOf = (worse: number[], better: number[]) =>
  rounded(median(worse.map((value, nth) => value / (better[nth] ?? Number.NaN))));

/** How much `y` grows for each further `x`: least squares. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [mx, my] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return over / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}
