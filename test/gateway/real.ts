/** A running gateway as a target of the replay. It makes up keys of its own, and lives in a time of its own. */
import { fullName, storedName } from "../../lib/gateway/key-name.ts";
import { sendRequest } from "./http.ts";
import type { GatewayOptions, GatewayRequest } from "./model.ts";
import type { Target } from "./replay.ts";

export interface RealGateway {
  url: URL;
  secret: string;
  /** Unix ms. */
  now?: () => number;
  sleep?: (ms: number) => Promise<void>;
}

const DAY_SECONDS = 86_400;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** To be asked once: the gateway has keys then, and there is no other one. */
export function openRealGateway({ url, secret, now = Date.now, sleep = pause }: RealGateway) {
  let isFresh = true;
  return async (options: Required<GatewayOptions>): Promise<Target | undefined> => {
    if (!isFresh) return undefined;
    isFresh = false;
    const names = createNames();
    let recordedAt = options.now();

    /** The recording waits for what expires. */
    async function keepPace(): Promise<void> {
      const gap = options.now() - recordedAt;
      recordedAt = options.now();
      if (gap > 1000) await sleep(gap);
    }

    return {
      secret,
      async send(recorded) {
        await keepPace();
        for (const expires of expiriesIn(recorded.body, recordedAt))
          names.pair(
            `"expires":${expires}`,
            `"expires":${expires + Math.round((now() - recordedAt) / 1000)}`,
          );
        const { method, headers = {}, body = "" } = recorded;
        const { status, body: answer } = await sendRequest(url, {
          method,
          path: names.toActual(recorded.path),
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name, names.toActual(value)]),
          ),
          body: names.toActual(body),
        });
        if (method === "POST" && status === 200) names.learn(options, recorded, answer);
        return { status, body: names.toRecorded(answer) };
      },
    };
  };
}

/** Only what is near to that time was meant to be: the year 2001 stays. */
function expiriesIn(body: string | undefined, at: number): number[] {
  const found = [...(body ?? "").matchAll(/"expires":(\d{10})/g)].map(([, expires]) => Number(expires));
  return found.filter((expires) => Math.abs(expires - at / 1000) < DAY_SECONDS);
}

/** What of the gateway stands for what of the recording: its keys, their hashes, and times to come. */
function createNames() {
  const pairs: { recorded: string; actual: string }[] = [];

  function pair(recorded: string, actual = ""): void {
    if (actual === "" || actual === recorded || pairs.some((one) => one.recorded === recorded)) return;
    // Longer ones first: a token may hold another one.
    pairs.push({ recorded, actual });
    pairs.push({ recorded: encodeURIComponent(recorded), actual: encodeURIComponent(actual) });
    pairs.sort((a, b) => b.recorded.length - a.recorded.length);
  }

  return {
    pair,
    learn(options: Required<GatewayOptions>, { path, body = "" }: GatewayRequest, answer: string): void {
      const { key, key_hash } = JSON.parse(answer) as { key?: string; key_hash?: string };
      const { org_id = "" } = JSON.parse(body) as { org_id?: string };
      const name = decodeURIComponent(path.replace(/\?.*/s, "").replace("/tyk/keys/", ""));
      if (key === undefined || name.includes("/")) return;
      const given = name === "create" ? options.random() : name;
      const recorded = fullName(options.config.hash_key_function, org_id, given);
      pair(recorded, key);
      // Who posts by a hash is given the name for one.
      pair(path.includes("hashed=") ? recorded : storedName(options.config.hash_keys, recorded), key_hash);
    },
    toActual: (text: string) =>
      pairs.reduce((done, { recorded, actual }) => done.replaceAll(recorded, actual), text),
    toRecorded: (text: string) =>
      pairs.reduce((done, { recorded, actual }) => done.replaceAll(actual, recorded), text),
  };
}
