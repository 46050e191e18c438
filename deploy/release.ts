// npm run release -- <version> [--dry-run]: checks the tree and the changelog, sets the version, packs, commits and
// tags. It works in the working directory. It neither pushes nor publishes, but prints the commands that do.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { lt, valid } from "semver";

const USAGE = "npm run release -- <version> [--dry-run], for example: npm run release -- 0.2.0";
const CHANGELOG = "CHANGELOG.md";
/** What `npm version` writes. */
const VERSIONED = ["package.json", "package-lock.json"];

class UsageError extends Error {}

interface Step {
  does: string;
  run(): void;
}

/** Returns git's output. Its error output is part of the error's message. */
const git = (...args: string[]) =>
  execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd();

/** Its output goes to the terminal. */
function npm(...args: string[]): void {
  try {
    execFileSync("npm", args, { stdio: ["ignore", "inherit", "inherit"] });
  } catch {
    throw new Error(`npm ${args.join(" ")} failed: what it says is above`);
  }
}

const ownPackage = () =>
  JSON.parse(readFileSync("package.json", "utf8")) as { name: string; version: string };

/** The changelog's text by the headings of its versions. */
function sections(): Map<string, string> {
  const [, ...parts] = readFileSync(CHANGELOG, "utf8").split(/^## /m);
  return new Map(
    parts.map((part) => {
      const [heading = "", ...lines] = part.split("\n");
      return [heading.trim(), lines.join("\n").trim()];
    }),
  );
}

function changelogProblem(version: string): string | undefined {
  const found = sections();
  const [, text] =
    [...found].find(
      ([heading]) =>
        heading.startsWith(`${version} - `) && /^\d{4}-\d\d-\d\d$/.test(heading.slice(version.length + 3)),
    ) ?? [];
  if (text === undefined)
    return `${CHANGELOG} has no heading "## ${version} - YYYY-MM-DD": put it above what stands under Unreleased`;
  if (text === "") return `${CHANGELOG} says nothing about ${version}: a release without changes is not made`;
  if (found.get("Unreleased")) return `${CHANGELOG} has entries under Unreleased: move them below ${version}`;
  return undefined;
}

function problemsOf(version: string): string[] {
  const { version: current } = ownPackage();
  const changed = git("status", "--porcelain");
  const branch = git("branch", "--show-current");
  return [
    branch !== "main" && `this is ${branch || "no branch"}: releases are made on main (git switch main)`,
    changed && `the tree is not clean: commit or stash these first\n${changed.replace(/^/gm, "    ")}`,
    lt(version, current) && `package.json has ${current} already: ${version} is older`,
    git("tag", "--list", `v${version}`) && `the tag v${version} exists: a version is released once`,
    changelogProblem(version),
  ].filter((problem) => typeof problem === "string" && problem !== "") as string[];
}

function stepsOf(version: string): Step[] {
  const tarball = `${ownPackage().name}-${version}.tgz`;
  return [
    {
      does: `set the version ${version} in ${VERSIONED.join(" and ")}`,
      run: () => npm("version", version, "--no-git-tag-version", "--allow-same-version"),
    },
    { does: "check the package (npm run pack:check)", run: () => npm("run", "pack:check") },
    { does: `pack ${tarball} (npm pack)`, run: () => npm("pack") },
    {
      does: `commit the version as "Release ${version}"`,
      run: () => {
        // The first release may have the initial version of package.json.
        if (git("diff", "--name-only"))
          git("commit", "--quiet", "-m", `Release ${version}`, "--", ...VERSIONED);
      },
    },
    {
      does: `tag the commit v${version}`,
      run: () => void git("tag", "--annotate", `v${version}`, "-m", `${ownPackage().name} ${version}`),
    },
    {
      does: "print what publishes it",
      run: () =>
        console.log(`\nTo publish it:\n  git push origin main v${version}\n  npm publish ${tarball}`),
    },
  ];
}

function release(version: string, dryRun: boolean): void {
  const problems = problemsOf(version);
  if (problems.length > 0)
    throw new Error(`${version} is not released:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  if (dryRun) {
    console.log(
      `This would:\n${stepsOf(version)
        .map(({ does }) => `  ${does}`)
        .join("\n")}`,
    );
    return;
  }
  try {
    for (const { does, run } of stepsOf(version)) {
      console.log(`> ${does}`);
      run();
    }
  } catch (thrown) {
    // To the last commit: the tree was clean.
    git("checkout", "--quiet", "--", ...VERSIONED);
    throw thrown;
  }
}

function readArgs(): { version: string; dryRun: boolean } {
  const { values, positionals } = parse();
  const [version, ...more] = positionals;
  if (version === undefined || more.length > 0) throw new UsageError("name one version");
  if (valid(version) !== version)
    throw new UsageError(`${version} is not a version: three numbers with dots, as in 0.2.0 or 1.0.0-rc.1`);
  return { version, dryRun: values["dry-run"] };
}

function parse() {
  try {
    const options = { "dry-run": { type: "boolean", default: false } } as const;
    return parseArgs({ options, allowPositionals: true });
  } catch (thrown) {
    throw new UsageError((thrown as Error).message);
  }
}

try {
  const { version, dryRun } = readArgs();
  release(version, dryRun);
} catch (thrown) {
  const usage = thrown instanceof UsageError ? `\nusage: ${USAGE}` : "";
  console.error(`release: ${(thrown as Error).message}${usage}`);
  process.exitCode = thrown instanceof UsageError ? 2 : 1;
}
