// npm run docs:architecture: docs/images/architecture.svg, readable on light and dark pages.
import { writeFileSync } from "node:fs";
import { ROOT } from "./build.ts";

/** The picture in docs/architecture.md. */
export const ARCHITECTURE_FILE = `${ROOT}docs/images/architecture.svg`;

const WIDTH = 1070;
const HEIGHT = 600;
const BOX = { width: 150, height: 64 };
/** Left edges of the columns, and top edges of the rows. */
const COLUMNS = [20, 240, 460, 680, 900] as const;
const ROWS = [92, 222, 352, 482] as const;

type Kind = "yours" | "function" | "service";
const KINDS: Record<Kind, string> = {
  yours: "outside AWS",
  function: "Lambda function",
  service: "AWS service",
};

interface Box {
  column: number;
  row: number;
  kind: Kind;
  name: string;
  says: string;
}

const BOXES: Box[] = [
  { column: 0, row: 1, kind: "yours", name: "API gateway", says: "fires events" },
  { column: 1, row: 0, kind: "function", name: "ingest", says: "HTTP, with a token" },
  { column: 1, row: 1, kind: "yours", name: "gatehook publish", says: "beside the gateway" },
  { column: 1, row: 2, kind: "yours", name: "your folder", says: "apis/, handlers/" },
  { column: 2, row: 1, kind: "service", name: "events queue", says: "SQS" },
  { column: 2, row: 2, kind: "service", name: "files, releases", says: "S3" },
  { column: 2, row: 3, kind: "function", name: "releaser", says: "builds and checks" },
  { column: 3, row: 0, kind: "service", name: "dead letters", says: "SQS" },
  { column: 3, row: 1, kind: "function", name: "consumer", says: "handlers, in QuickJS" },
  { column: 4, row: 0, kind: "service", name: "history", says: "DynamoDB, S3" },
  { column: 4, row: 1, kind: "service", name: "sessions, state", says: "DynamoDB" },
  { column: 4, row: 2, kind: "function", name: "gateway-sync", says: "if there is a gateway" },
];

interface Arrow {
  /** Corners, from the tail to the head. */
  points: [number, number][];
  label?: { text: string; x: number; y: number; anchor?: "start" | "end" };
}

const ARROWS: Arrow[] = [
  {
    points: [
      [95, 222],
      [95, 124],
      [240, 124],
    ],
    label: { text: "webhooks", x: 168, y: 116 },
  },
  {
    points: [
      [170, 254],
      [240, 254],
    ],
  },
  {
    points: [
      [390, 124],
      [535, 124],
      [535, 222],
    ],
    label: { text: "SendMessage", x: 462, y: 116 },
  },
  {
    points: [
      [390, 254],
      [460, 254],
    ],
  },
  {
    points: [
      [610, 254],
      [680, 254],
    ],
    label: { text: "batches", x: 645, y: 246 },
  },
  {
    points: [
      [715, 222],
      [715, 156],
    ],
    label: { text: "given up", x: 707, y: 193, anchor: "end" },
  },
  {
    points: [
      [795, 222],
      [795, 189],
      [975, 189],
      [975, 156],
    ],
    label: { text: "what became of it", x: 885, y: 181 },
  },
  {
    points: [
      [830, 244],
      [900, 244],
    ],
    label: { text: "commit", x: 865, y: 236 },
  },
  {
    points: [
      [390, 384],
      [460, 384],
    ],
    label: { text: "push", x: 425, y: 376 },
  },
  {
    points: [
      [515, 416],
      [515, 482],
    ],
    label: { text: "uploads", x: 507, y: 453, anchor: "end" },
  },
  {
    points: [
      [555, 482],
      [555, 416],
    ],
    label: { text: "release", x: 563, y: 453, anchor: "start" },
  },
  {
    points: [
      [610, 384],
      [755, 384],
      [755, 286],
    ],
    label: { text: "live release", x: 682, y: 376 },
  },
  {
    points: [
      [610, 514],
      [865, 514],
      [865, 270],
      [900, 270],
    ],
    label: { text: "makes it live", x: 738, y: 506 },
  },
  {
    points: [
      [975, 286],
      [975, 352],
    ],
    label: { text: "changes", x: 983, y: 323, anchor: "start" },
  },
  {
    points: [
      [975, 416],
      [975, 570],
      [95, 570],
      [95, 286],
    ],
    label: { text: "changed sessions, by the gateway's key API", x: 315, y: 562 },
  },
];

const STYLE = `text { font: 13px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
.name { font-weight: 600 } .title { font-size: 16px; font-weight: 600; text-anchor: start }
.soft { fill: #57606a } .start { text-anchor: start } .end { text-anchor: end }
.back { fill: #ffffff } .line { fill: none; stroke: #6e7781; stroke-width: 1.5 } .head { fill: #6e7781 }
.box { stroke-width: 1.5 } .yours { fill: #f3f4f6; stroke: #8c959f } .function { fill: #fdf0e3; stroke: #d4883a }
.service { fill: #e6f1fb; stroke: #4f86c6 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .soft { fill: #9da7b3 } .back { fill: #16191d } .line { stroke: #8b949e } .head { fill: #8b949e }
.yours { fill: #24292f } .function { fill: #3d2a17 } .service { fill: #16304a } }`;

const escaped = (text: string) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
const text = (x: number, y: number, words: string, classes: string) =>
  `<text x="${x}" y="${y}" class="${classes}">${escaped(words)}</text>`;

function box({ column, row, kind, name, says }: Box): string {
  const [x, y] = [COLUMNS[column] ?? 0, ROWS[row] ?? 0];
  const middle = x + BOX.width / 2;
  return [
    `<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="8" class="box ${kind}"/>`,
    text(middle, y + 28, name, "name"),
    text(middle, y + 48, says, "soft"),
  ].join("");
}

function arrow({ points, label }: Arrow): string {
  const line = `<polyline points="${points.map((point) => point.join(",")).join(" ")}" class="line" marker-end="url(#head)"/>`;
  return label ? line + text(label.x, label.y, label.text, `soft ${label.anchor ?? ""}`.trim()) : line;
}

const legend = (Object.keys(KINDS) as Kind[]).map((kind, nth) => {
  const x = 570 + nth * 165;
  return `<rect x="${x}" y="24" width="16" height="16" rx="3" class="box ${kind}"/>${text(x + 24, 37, KINDS[kind], "soft start")}`;
});

const TITLE = "The path of an event, and of a release";

/** The text of the picture, the same at each call. */
export const architectureSvg =
  (): string => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${TITLE}">
<style>${STYLE}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>
<rect class="back" width="${WIDTH}" height="${HEIGHT}"/>
${text(20, 37, TITLE, "title")}
${legend.join("\n")}
${ARROWS.map(arrow).join("\n")}
${BOXES.map(box).join("\n")}
</svg>
`;

if (import.meta.main) writeFileSync(ARCHITECTURE_FILE, architectureSvg());
