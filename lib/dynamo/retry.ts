import { setTimeout as delay } from "node:timers/promises";
import { AppError, errorText } from "../errors.ts";

/** The maximum number of attempts of a DynamoDB call that is throttled, cancelled, or whose response is lost. */
export const ATTEMPTS = 6;

/** Waits a random time of up to 25 ms × 2^`attempt`, so that writers do not conflict again. The first attempt is 1. */
export const pauseBefore = (attempt: number, random: () => number) => delay(random() * 25 * 2 ** attempt);

/**
 * If a permission is missing, DynamoDB's message names the action and the resource. An error that is one already is
 * returned itself.
 */
export const dependencyFailed = (action: string, cause: unknown): AppError =>
  cause instanceof AppError && cause.code === "dependency-failed"
    ? cause
    : new AppError("dependency-failed", `dynamodb:${action} failed: ${errorText(cause)}`, { cause });
