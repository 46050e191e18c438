#!/usr/bin/env node
// JavaScript that an old Node reads too: what it lacks is said here, before anything else is loaded.
"use strict";

const { existsSync, realpathSync } = require("node:fs");
const { createRequire, enableCompileCache } = require("node:module");
const { join } = require("node:path");

/** The program of the package that the folder has for itself: its version is what the folder was made for. */
function ofFolder() {
  try {
    const file = createRequire(join(process.cwd(), "package.json")).resolve("gatehook/package.json");
    return realpathSync(join(file, "..", require(file).bin.gatehook));
  } catch {
    return realpathSync(__filename); // the folder has none
  }
}

function isOlder(version, than) {
  const [a, b] = [version, than].map((text) => text.split(".").map(Number));
  const at = b.findIndex((number, index) => a[index] !== number);
  return at >= 0 && a[at] < b[at];
}

function start() {
  const needed = require("../package.json").engines.node.replace(">=", "");
  if (isOlder(process.versions.node, needed)) {
    const name = needed.replace(/(\.0)+$/, "");
    process.stderr.write(`gatehook needs Node ${name} or later; this is ${process.versions.node}\n`);
    process.exit(1);
  }

  // Node 22 warns that SQLite, by which the local queue keeps its messages, is experimental.
  const listeners = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== "ExperimentalWarning") for (const listener of listeners) listener(warning);
  });

  // Half the time of a start: Node keeps the compiled code in the temporary folder, for this user and this version.
  enableCompileCache?.();

  // In a clone the sources, also where a build for a package was left; a package has no sources.
  void import(
    existsSync(join(__dirname, "../cli/gatehook.ts")) ? "../cli/gatehook.ts" : "../dist/gatehook.mjs"
  );
}

const own = ofFolder();
if (own === realpathSync(__filename)) start();
else require(own);
