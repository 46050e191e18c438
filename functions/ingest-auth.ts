import { createTokenCheck, type TokenCheck } from "../lib/ingest/token.ts";
import { choice, type Env, invalid, secretList } from "./settings.ts";

/** Who may send events; a start without a token fails, rather than let everybody in. */
export function readIngestAuth(env: Env): TokenCheck {
  if (choice(env, "INGEST_AUTH") !== "token") return () => {};
  const tokens = secretList(env, "INGEST_TOKEN");
  if (tokens.length === 0) throw invalid("INGEST_TOKEN", "is not set");
  return createTokenCheck(tokens);
}
