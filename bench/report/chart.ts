// Charts as SVG text, readable on light and dark pages.

const WIDTH = 720;
const HEIGHT = 340;
const BOX = { left: 64, right: 20, top: 48, bottom: 64 };
const COLOURS = ["#9aa5b1", "#4f86c6", "#e07a3f", "#5aa469"];
const GRID_LINES = 4;

export interface Chart {
  title: string;
  /** The unit of the values. */
  unit: string;
  /** The text below the horizontal axis. */
  axis: string;
}

export interface Series {
  name: string;
  values: number[];
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const at = (value: number) => Number(value.toFixed(1));
const label = (x: number, y: number, text: string, extra = 'text-anchor="middle"') =>
  `<text x="${at(x)}" y="${at(y)}" ${extra}>${escaped(text)}</text>`;

/** A round number at or above the largest value, so that the grid has short labels. */
function top(values: number[]): number {
  const most = Math.max(...values);
  const step = 10 ** Math.floor(Math.log10(most));
  const nice = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find((factor) => factor * step >= most) ?? 10;
  return nice * step;
}

function frame({ title, unit, axis }: Chart, most: number, legend: string[]): string[] {
  const height = HEIGHT - BOX.top - BOX.bottom;
  const lines = Array.from({ length: GRID_LINES + 1 }, (_, nth) => {
    const y = HEIGHT - BOX.bottom - (height * nth) / GRID_LINES;
    const value = Number(((most * nth) / GRID_LINES).toPrecision(3)).toLocaleString("en");
    return (
      `<line x1="${BOX.left}" x2="${WIDTH - BOX.right}" y1="${at(y)}" y2="${at(y)}" class="grid"/>` +
      label(BOX.left - 8, y + 4, value, 'text-anchor="end"')
    );
  });
  const names = legend.length < 2 ? [] : legend;
  const keys = names.map((name, nth) => {
    const x = BOX.left + nth * 170;
    const y = HEIGHT - 14;
    return `<rect x="${x}" y="${y - 10}" width="12" height="12" fill="${COLOURS[nth % COLOURS.length]}"/>${label(x + 18, y, name, "")}`;
  });
  return [
    label(BOX.left, 20, title, 'class="title"'),
    label(BOX.left, 38, unit, 'class="soft"'),
    ...lines,
    label(WIDTH - BOX.right, HEIGHT - 34, axis, 'text-anchor="end" class="soft"'),
    ...keys,
  ];
}

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-size: 15px; font-weight: 600 }
.soft { fill: #777 } .grid { stroke: #8884 } .back { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .soft { fill: #999 } .back { fill: #16191d } }`;

const svg = ({ title }: Chart, parts: string[]) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}</style>
<rect class="back" width="${WIDTH}" height="${HEIGHT}"/>
${parts.join("\n")}
</svg>
`;

const plotHeight = HEIGHT - BOX.top - BOX.bottom;
const plotWidth = WIDTH - BOX.left - BOX.right;
const yOf = (value: number, most: number) => HEIGHT - BOX.bottom - (value / most) * plotHeight;

/** Bars beside each other, one of each series in each group. */
export function barChart(chart: Chart, groups: string[], series: Series[]): string {
  const most = top(series.flatMap(({ values }) => values));
  const slot = plotWidth / groups.length;
  const width = Math.min(48, (slot * 0.8) / series.length);
  const bars = groups.flatMap((group, nth) => {
    const middle = BOX.left + slot * (nth + 0.5);
    const from = middle - (width * series.length) / 2;
    return [
      label(middle, HEIGHT - BOX.bottom + 16, group),
      ...series.map(({ values }, which) => {
        const y = yOf(values[nth] ?? 0, most);
        const x = from + which * width;
        const value = label(
          x + width / 2,
          y - 4,
          String(values[nth] ?? ""),
          'text-anchor="middle" class="soft"',
        );
        return `<rect x="${at(x + 1)}" y="${at(y)}" width="${at(width - 2)}" height="${at(HEIGHT - BOX.bottom - y)}" fill="${COLOURS[which % COLOURS.length]}"/>${value}`;
      }),
    ];
  });
  const legend = series.map(({ name }) => name);
  return svg(chart, [...frame(chart, most, legend), ...bars]);
}

/** Points joined by lines, at equal distances, whatever their values on the horizontal axis are. */
export function lineChart(chart: Chart, points: string[], series: Series[]): string {
  const most = top(series.flatMap(({ values }) => values));
  const xOf = (nth: number) => BOX.left + (plotWidth * (nth + 0.5)) / points.length;
  const lines = series.flatMap(({ values }, which) => {
    const colour = COLOURS[(series.length === 1 ? 2 : which) % COLOURS.length];
    const path = values.map((value, nth) => `${at(xOf(nth))},${at(yOf(value, most))}`).join(" ");
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...values.map(
        (value, nth) =>
          `<circle cx="${at(xOf(nth))}" cy="${at(yOf(value, most))}" r="3.5" fill="${colour}"/>${label(xOf(nth), yOf(value, most) - 9, String(value), 'text-anchor="middle" class="soft"')}`,
      ),
    ];
  });
  const names = points.map((point, nth) => label(xOf(nth), HEIGHT - BOX.bottom + 16, point));
  const legend = series.map(({ name }) => name);
  return svg(chart, [...frame(chart, most, legend), ...names, ...lines]);
}
