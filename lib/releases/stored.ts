import { NoSuchKey } from "@aws-sdk/client-s3";
import { AppError } from "../errors.ts";
import type { Bucket } from "./bucket.ts";
import { type Release, versionOf } from "./release.ts";

/** The releases in the bucket, by version. */
export interface StoredReleases {
  /** Throws `release-missing` if the object is missing, or has other content than was written. */
  read(version: string): Promise<Release>;
  write(version: string, text: string): Promise<void>;
}

/** Stores them in `releases/`, and verifies the hash of each when it reads it. */
export function createStoredReleases(
  bucket: Pick<Bucket, "name" | "readText" | "writeText">,
): StoredReleases {
  async function readRelease(version: string): Promise<string> {
    try {
      return await bucket.readText(releaseKey(version));
    } catch (cause) {
      if (!(cause instanceof NoSuchKey)) throw cause;
      throw missing(`there is no ${releaseKey(version)} in bucket ${bucket.name}`, { cause });
    }
  }

  return {
    async read(version) {
      const text = await readRelease(version);
      if (versionOf(text) !== version)
        throw missing(`${releaseKey(version)} in bucket ${bucket.name} is not what was written`);
      return JSON.parse(text) as Release;
    },
    write: (version, text) => bucket.writeText(releaseKey(version), text, "application/json"),
  };
}

const missing = (message: string, options?: ErrorOptions) =>
  new AppError("release-missing", message, options);

const releaseKey = (version: string) => `releases/${version}.json`;
