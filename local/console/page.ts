import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "esbuild";

/** The page's two files; its HTML is here. */
export interface Page {
  js: string;
  css: string;
}

/** The same for every address below `/console`. */
export const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>gatehook</title>
<link rel="stylesheet" href="/console/page.css">
<script type="module" src="/console/page.js"></script>
</head>
<body><noscript>This page needs JavaScript. On the command line: npx gatehook events ls</noscript></body>
</html>
`;

const FOLDER = "../../console/";

/** In a package, deploy/build-package.ts replaces it by one that is already bundled. */
export async function loadPage(): Promise<Page> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({ ...PAGE_OPTIONS, write: false });
  const css = readFileSync(fileURLToPath(new URL(`${FOLDER}page.css`, import.meta.url)), "utf8");
  return { js: outputFiles[0]?.text ?? "", css };
}

/** For esbuild. */
export const PAGE_OPTIONS = {
  entryPoints: [fileURLToPath(new URL(`${FOLDER}page.tsx`, import.meta.url))],
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2024",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  legalComments: "none",
} satisfies BuildOptions;
