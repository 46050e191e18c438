import type { RuntimeAssets } from "../runtime/assets.ts";
import { DEFAULT_LIMITS, type Held, type LoadFault, type SurveyedScript } from "../runtime/protocol.ts";
import { startThread, type Thread } from "../runtime/thread.ts";

/** The result of loading all scripts. */
export interface Surveyed {
  /** The thread with all scripts that could be loaded, for further queries; the caller closes it. */
  thread: Thread | undefined;
  /** In the order of the scripts. */
  faults: LoadFault[];
  /** For each loaded script, the names that have another handler object after it. */
  defined: Map<string, Map<string, Held>>;
  /** Scripts that were not checked, because `MAX_CULPRITS` before them had to be left out; then there is no thread. */
  unread: string[];
}

/** Half of the consumer's loading time, so that scripts also load in a consumer with half the speed. */
const LOAD_MS = 2_500;
/** How often a script that uses up the time, or breaks the sandbox, is left out and the others are loaded again. */
const MAX_CULPRITS = 5;

/** Loads scripts as the consumer does, and reads what each defines. */
export async function surveyScripts(scripts: SurveyedScript[], assets: RuntimeAssets): Promise<Surveyed> {
  const culprits: LoadFault[] = [];
  for (;;) {
    const left = scripts.filter(({ path }) => !culprits.some((culprit) => culprit.path === path));
    if (left.length === 0) return { faults: culprits, defined: new Map(), thread: undefined, unread: [] };
    const thread = startThread(assets, { ...DEFAULT_LIMITS, loadTimeoutMs: LOAD_MS }, "global");
    const survey = await thread.survey(left);
    const culprit = survey.defined.length < left.length ? survey.faults.at(-1) : undefined;
    const surveyed = {
      faults: inLoadOrder(scripts, [...culprits, ...survey.faults]),
      defined: new Map(survey.defined.map((names, index) => [left[index]?.path ?? "", names])),
    };
    if (!culprit) return { ...surveyed, thread, unread: [] };
    await thread.close();
    culprits.push(culprit);
    if (culprits.length === MAX_CULPRITS) {
      const unread = left.slice(survey.defined.length).map(({ path }) => path);
      return { ...surveyed, thread: undefined, unread: unread.filter((path) => path !== culprit.path) };
    }
  }
}

function inLoadOrder(scripts: SurveyedScript[], faults: LoadFault[]): LoadFault[] {
  const place = new Map(scripts.map(({ path }, index) => [path, index]));
  return faults.sort((a, b) => (place.get(a.path) ?? 0) - (place.get(b.path) ?? 0));
}
