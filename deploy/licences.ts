// THIRD-PARTY-LICENSES: the code of others in the package. Written by `npm run docs`.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";
import { PAGE_OPTIONS } from "../local/console/page.ts";
import { addRuntime, buildFunctions, ROOT, RUNTIME_FILES } from "./build.ts";

/** Written by `npm run docs`; part of the package. */
export const LICENCES_FILE = `${ROOT}THIRD-PARTY-LICENSES`;

/** Each allows everybody to use, change and redistribute the code, also in a closed-source product. */
const ALLOWED = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "Unlicense"];

/** A package whose code is part of the npm package. */
export interface Shipped {
  name: string;
  /** Its SPDX identifier. */
  licence: string;
  /** From its package.json. */
  author: string;
  /** The text of the licence and of the notice, if any; "" if the package has neither. */
  text: string;
}

/** The packages whose code is in a bundle or a copied file of the npm package, by name. */
export async function shippedPackages(): Promise<Shipped[]> {
  const folders = new Set((await shippedFiles()).flatMap((path) => packageFolder(path) ?? []));
  const found = new Map([...folders].map((folder) => [folder, readPackage(folder)]));
  // Two versions of one package are one entry, unless their texts differ.
  const distinct = new Map([...found.values()].map((one) => [`${one.name}\n${one.text}`, one]));
  return [...distinct.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Throws for a package with a licence that must be reviewed first. */
export function checkLicences(packages: Shipped[]): void {
  const others = packages.filter(({ licence }) => !ALLOWED.includes(licence));
  if (others.length === 0) return;
  const names = others.map(({ name, licence }) => `${name} (${licence || "no licence in its package.json"})`);
  throw new Error(
    `the package would ship ${names.join(", ")}: replace it, or read its licence and add it to ALLOWED in deploy/licences.ts`,
  );
}

/**
 * Without versions, so that an update changes the file only if a package is added or removed, or its licence changes.
 */
export function licencesText(packages: Shipped[]): string {
  const licences = Map.groupBy(packages, ({ licence }) => licence);
  const overview = [...licences].sort().map(([licence, of]) => `${licence}\n${listed(of)}`);
  const texts = Map.groupBy(packages, ({ text }) => text);
  const textless = (texts.get("") ?? []).map(
    ({ name, licence, author }) => `  ${name}: ${licence}, by ${author}`,
  );
  const withTexts = [...texts]
    .filter(([text]) => text !== "")
    .map(([text, of]) => `${listed(of)}\n\n${text}`);
  return `${[
    `The functions, the sandbox and the console's page in this package contain code of the packages below. The packages
that npm installs beside gatehook are not in it; each brings its own licence.`,
    ...overview,
    ...(textless.length > 0
      ? [
          `These packages contain no text of their licence; it is that of the SPDX identifier:\n${textless.join("\n")}`,
        ]
      : []),
    ...withTexts.map((text) => `${"-".repeat(80)}\n\n${text}`),
  ].join("\n\n")}\n`;
}

const listed = (packages: Shipped[]) =>
  [...new Set(packages.map(({ name }) => name))].map((name) => `  ${name}`).join("\n");

/** The paths of all sources of the functions, the sandbox's thread and the console's page. */
async function shippedFiles(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-licences-"));
  try {
    const page = build({ ...PAGE_OPTIONS, absWorkingDir: ROOT, write: false, metafile: true });
    const metafiles = [
      ...(await buildFunctions(folder)),
      await addRuntime(`${folder}/runtime`),
      (await page).metafile,
    ];
    return [...metafiles.flatMap(filesIn), ...Object.values(RUNTIME_FILES)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const filesIn = ({ outputs }: Metafile) =>
  Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? path : [])),
  );

/** The folder of the innermost package of a file, relative to the clone. */
function packageFolder(path: string): string | undefined {
  return /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}

function readPackage(folder: string): Shipped {
  const own = JSON.parse(readFileSync(`${ROOT}${folder}/package.json`, "utf8"));
  const files = readdirSync(`${ROOT}${folder}`).filter((name) =>
    /^(licen[cs]e|copying|notice)(\.|$)/i.test(name),
  );
  const texts = files.sort().map((name) => readFileSync(`${ROOT}${folder}/${name}`, "utf8").trim());
  return {
    name: own.name,
    licence: own.license ?? "",
    author: own.author?.name ?? own.author ?? "its contributors",
    text: texts.join("\n\n").replaceAll("\r\n", "\n"),
  };
}
