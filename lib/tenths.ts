/** A number with one digit after the point, as logs and histories have all durations. */
export const tenths = (value: number): number => Math.round(value * 10) / 10;
