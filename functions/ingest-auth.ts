import { createTokenCheck, type TokenCheck } from "../lib/ingest/token.ts";
import { choice, invalid, secretList } from "./settings.ts";

/** Who may send events; a start without a token fails, so that nobody gets access by mistake. */
export function readIngestAuth(env: Record<string, string | undefined>): TokenCheck {
  if (choice(env, "INGEST_AUTH") !== "token") return () => {};
  const tokens = secretList(env, "INGEST_TOKEN");
  if (tokens.length === 0) throw invalid("INGEST_TOKEN", "is not set");
  return createTokenCheck(tokens);
}
