import { createHash } from "node:crypto";
import type { BucketFile } from "../../lib/releases/bucket.ts";
import { isMap, type SourceFile } from "../../lib/releases/sources.ts";
import type { ReleaseStore } from "../../lib/releases/store.ts";

/** The changes that make the bucket the same as a folder. */
export interface Plan {
  upload: SourceFile[];
  remove: string[];
}

/** Compares by the MD5 in S3's entity tag. */
export function planUpload(files: SourceFile[], inBucket: BucketFile[]): Plan {
  const etags = new Map(inBucket.map(({ path, etag }) => [path, etag]));
  const isThere = ({ path, text }: SourceFile) =>
    etags.get(path) === createHash("md5").update(text).digest("hex");
  return planOf(files, etags.keys(), isThere);
}

/** The same, compared with the uploaded texts. */
export function planChanges(files: SourceFile[], uploaded: ReadonlyMap<string, string>): Plan {
  return planOf(files, uploaded.keys(), ({ path, text }) => uploaded.get(path) === text);
}

function planOf(files: SourceFile[], there: Iterable<string>, isThere: (file: SourceFile) => boolean): Plan {
  const here = new Set(files.map(({ path }) => path));
  return {
    upload: files.filter((file) => !isThere(file)),
    remove: Array.from(there).filter((path) => !here.has(path)),
  };
}

/** Whether the bucket is the same as the folder. */
export const isEmpty = ({ upload, remove }: Plan) => upload.length + remove.length === 0;

/** Whether it does not invoke the releaser, which ignores source maps. */
export const wakesNobody = ({ upload, remove }: Plan) =>
  [...upload.map(({ path }) => path), ...remove].every((path) => isMap(path));

/**
 * Uploads scripts before the definitions that name them, and deletes last, so that the bucket is complete at every
 * moment.
 */
export async function carryOut({ upload, remove }: Plan, store: ReleaseStore): Promise<void> {
  const isScript = ({ path }: SourceFile) => path.endsWith(".js");
  await inTurns(upload.filter(isScript), (file) => store.writeSource(file));
  await inTurns(
    upload.filter((file) => !isScript(file)),
    (file) => store.writeSource(file),
  );
  await inTurns(remove, (path) => store.removeSource(path));
}

const AT_A_TIME = 20;

async function inTurns<T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < items.length; at += AT_A_TIME)
    await Promise.all(items.slice(at, at + AT_A_TIME).map(work));
}
