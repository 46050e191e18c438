import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";

/** Throws `token-invalid` unless an `authorization` header has one of the tokens that it was made with. */
export type TokenCheck = (authorization: string | undefined) => void;

export function createTokenCheck(tokens: string[]): TokenCheck {
  const known = tokens.map(digest);
  return (authorization = "") => {
    const given = digest(/^Bearer (\S+)$/i.exec(authorization)?.[1] ?? "");
    // Digests, and all of them: how long it takes tells nothing of the tokens, not even their length.
    const matches = known.filter((token) => timingSafeEqual(token, given));
    if (matches.length > 0) return;
    const message =
      'send the header "authorization: Bearer <token>" with the token of this deployment\'s ingest';
    throw new AppError("token-invalid", message, { field: "authorization" });
  };
}

const digest = (text: string) => createHash("sha256").update(text).digest();
