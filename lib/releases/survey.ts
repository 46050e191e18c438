import type { RuntimeAssets } from "../runtime/assets.ts";
import { DEFAULT_LIMITS, type Held, type LoadFault, type SurveyedScript } from "../runtime/protocol.ts";
import { startThread, type Thread } from "../runtime/thread.ts";

/** What loading all scripts showed. */
export interface Surveyed {
  /** Where all of them are loaded that can be, to be asked more and then closed. */
  thread: Thread | undefined;
  /** In the order of the scripts. */
  faults: LoadFault[];
  /** Of each script that was loaded, the names that hold another handler object since. */
  defined: Map<string, Map<string, Held>>;
  /** Scripts that were not looked at, since `MAX_CULPRITS` before them had to be left out; no thread is left then. */
  unread: string[];
}

/** Half of the time that the consumer gives its scripts: what passes here loads there at half the speed. */
const LOAD_MS = 2_500;
/** How often a script that uses up the time, or breaks the sandbox, is left out and the others are loaded again. */
const MAX_CULPRITS = 5;

/** Loads scripts as the consumer does, each with a look at what it defines. */
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
