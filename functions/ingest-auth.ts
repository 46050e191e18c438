import { createTokenCheck, type TokenCheck } from "../lib/ingest/token.ts";
import { choice, invalid, list } from "./settings.ts";

const TOKEN_CHARS = 16;

/** Who may send events; a start without a token fails, rather than let everybody in. */
export function readIngestAuth(env: Record<string, string | undefined>): TokenCheck {
  if (choice(env, "INGEST_AUTH") !== "token") return () => {};
  const tokens = list(env, "INGEST_TOKEN");
  if (tokens.length === 0) throw invalid("INGEST_TOKEN", "is not set");
  // Without the value, which is a secret even when it is a poor one.
  if (tokens.some((token) => token.length < TOKEN_CHARS))
    throw invalid("INGEST_TOKEN", `has a token of fewer than ${TOKEN_CHARS} characters`);
  return createTokenCheck(tokens);
}
