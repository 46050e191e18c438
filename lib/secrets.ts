import { createHash, timingSafeEqual } from "node:crypto";

/** Whether a text is one of the secrets of the check. */
export type SecretCheck = (given: string) => boolean;

/** Compares SHA-256 digests in constant time; without secrets it rejects every text. */
export function createSecretCheck(secrets: string[]): SecretCheck {
  const known = secrets.map(digest);
  return (given) => {
    const presented = digest(given);
    // Compares all digests, so that the duration reveals nothing about the secrets, not even their length.
    return known.filter((secret) => timingSafeEqual(secret, presented)).length > 0;
  };
}

const digest = (text: string) => createHash("sha256").update(text).digest();
