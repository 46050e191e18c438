import { AppError } from "../errors.ts";
import { createSecretCheck } from "../secrets.ts";

/** Throws `token-invalid` unless an `authorization` header has one of the tokens. */
export type TokenCheck = (authorization: string | undefined) => void;

/**
 * Several tokens are valid at the same time, so that a token can be rotated. Without any, every request is rejected.
 */
export function createTokenCheck(tokens: string[]): TokenCheck {
  const isToken = createSecretCheck(tokens);
  return (authorization = "") => {
    if (isToken(/^Bearer (\S+)$/i.exec(authorization)?.[1] ?? "")) return;
    const message =
      'send the header "authorization: Bearer <token>" with the token of this deployment\'s ingest';
    throw new AppError("token-invalid", message, { field: "authorization" });
  };
}
