import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { findNodeAtLocation } from "jsonc-parser";
import { createNearest } from "../lib/apis/nearest.ts";
import type { TestCase } from "../lib/history/test-case.ts";
import { Misfit, type Place, readTestCase } from "../lib/history/test-read.ts";
import { jsonMistake, treeOf } from "../lib/json-mistake.ts";
import { UsageError } from "./terminal/usage.ts";

/** Where tests are in a folder, each below the name of its handler. */
export const TESTS = "tests";

/** A test in a file. */
export interface TestFile {
  path: string;
  /** As seen from the folder. */
  name: string;
  text: string;
  test: TestCase | undefined;
  /** Why the file is not a test. */
  fault?: { line: number; message: string };
}

/** The tests of a folder, or those that are named: files and folders, also as the report calls them. */
export async function readTests(dir: string, named: string[]): Promise<TestFile[]> {
  const paths = named.length === 0 ? await below(join(dir, TESTS)) : await pathsOf(dir, named);
  return Promise.all([...new Set(paths)].sort().map((path) => readTest(dir, path)));
}

async function pathsOf(dir: string, named: string[]): Promise<string[]> {
  const found = await Promise.all(
    named.map(async (name) => {
      const inTests = join(dir, TESTS, name);
      for (const path of [resolve(name), join(dir, name), inTests, `${inTests}.json`]) {
        const there = await stat(path).catch(() => undefined);
        if (there?.isFile()) return [path];
        if (there?.isDirectory()) return below(path);
      }
      throw new UsageError(`there is no test ${name}${await nearest(dir, name)}`);
    }),
  );
  return found.flat();
}

async function nearest(dir: string, name: string): Promise<string> {
  const folder = join(dir, TESTS);
  const names = (await below(folder)).map((path) => relative(folder, path).replace(/\.json$/, ""));
  const near = createNearest(names)(name);
  return near === undefined ? "" : `: did you mean ${near}?`;
}

async function below(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map(({ parentPath, name }) => join(parentPath, name));
}

async function readTest(dir: string, path: string): Promise<TestFile> {
  const text = await readFile(path, "utf8");
  const file = { path, name: relative(dir, path).split(sep).join("/"), text };
  try {
    return { ...file, test: readTestCase(text) };
  } catch (thrown) {
    if (!(thrown instanceof Misfit)) throw thrown;
    const mistake = jsonMistake(text);
    if (mistake) return { ...file, test: undefined, fault: mistake };
    return { ...file, test: undefined, fault: { line: lineOf(text, thrown.place), message: thrown.message } };
  }
}

/** The line of a place in a test, or of the nearest that is there around it. */
export function lineOf(text: string, place: Place): number {
  const tree = treeOf(text);
  for (let length = place.length; tree && length > 0; length -= 1) {
    const node = findNodeAtLocation(tree, place.slice(0, length));
    if (node) return text.slice(0, node.offset).split("\n").length;
  }
  return 1;
}
