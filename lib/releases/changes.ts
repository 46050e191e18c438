import type { Release } from "./release.ts";
import { templateFile } from "./sources.ts";

/** Added, changed and removed names. */
export interface Changed {
  added: string[];
  changed: string[];
  removed: string[];
}

/** Between two releases: APIs by id; scripts and templates by file. */
export interface Changes {
  apis: Changed;
  scripts: Changed;
}

/** The differences from one release to another; everything is new if there was none before. */
export function changesBetween(before: Release | undefined, after: Release): Changes {
  return {
    apis: compare(parts(before).apis, parts(after).apis),
    scripts: compare(parts(before).scripts, parts(after).scripts),
  };
}

/** The texts of a release by name: definitions as formatted JSON, scripts and templates unchanged. */
export function parts(release: Release | undefined): Record<keyof Changes, Map<string, string>> {
  return {
    apis: new Map(release?.apis.map((api) => [api.api_id, `${JSON.stringify(api, null, 2)}\n`])),
    scripts: new Map([
      ...(release?.scripts.map(({ path, source }) => [path, source] as const) ?? []),
      ...(release?.templates?.map(({ path, text }) => [templateFile(path), text] as const) ?? []),
    ]),
  };
}

function compare(before: Map<string, string>, after: Map<string, string>): Changed {
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    changed: [...after].flatMap(([name, text]) =>
      before.has(name) && before.get(name) !== text ? [name] : [],
    ),
    removed: [...before.keys()].filter((name) => !after.has(name)),
  };
}
