import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import {
  CORE_SCRIPT,
  GATEWAY_FILE,
  isMap,
  isModuleFile,
  isSource,
  SOURCE_FOLDERS,
  type SourceFile,
  sizeLimit,
} from "./sources.ts";

/** A file in the bucket, unread. */
export interface BucketFile {
  path: string;
  bytes: number;
  /** The MD5 of its text in hex, for a file that was put in one piece. */
  etag: string;
  /** When it was put, in milliseconds since 1970. */
  putAt: number;
}

/** The bucket: what was uploaded, and the releases made of it. */
export interface Bucket {
  name: string;
  /** What releases are made of, with the maps of its scripts and what should have been made a script; no other file. */
  listSources(): Promise<BucketFile[]>;
  /** The same without the maps; of what should have been made a script, the name and size alone. */
  readSources(): Promise<SourceFile[]>;
  writeSource(file: SourceFile): Promise<void>;
  removeSource(path: string): Promise<void>;
  readText(key: string): Promise<string>;
  writeText(key: string, text: string, type: string): Promise<void>;
}

const CONCURRENT_READS = 50;
const PREFIXES = [...Object.keys(SOURCE_FOLDERS), CORE_SCRIPT, GATEWAY_FILE];

/** Reads up to 50 objects at the same time. Errors of the SDK come through as they are. */
export function createBucket({ s3, bucket }: { s3: S3Client; bucket: string }): Bucket {
  async function list(prefix: string): Promise<BucketFile[]> {
    const files: BucketFile[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ...(token && { ContinuationToken: token }),
        }),
      );
      for (const { Key = "", Size = 0, ETag = "", LastModified } of page.Contents ?? []) {
        const etag = ETag.replaceAll('"', "");
        if (isSource(Key) || isMap(Key) || isModuleFile(Key))
          files.push({ path: Key, bytes: Size, etag, putAt: LastModified?.getTime() ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token);
    return files;
  }

  async function readText(key: string): Promise<string> {
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await object.Body?.transformToString("utf-8")) ?? "";
  }

  async function writeText(key: string, text: string, type: string): Promise<void> {
    const put = { Bucket: bucket, Key: key, Body: text, ContentType: type };
    // Of an empty text the SDK does not know the length, and warns on the terminal.
    await s3.send(new PutObjectCommand({ ...put, ContentLength: Buffer.byteLength(text) }));
  }

  async function readSource({ path, bytes }: BucketFile): Promise<SourceFile[]> {
    if (isModuleFile(path) || bytes > sizeLimit(path)) return [{ path, text: "", bytes }];
    try {
      return [{ path, text: await readText(path) }];
    } catch (thrown) {
      // Removed since it was listed: the notice of that wakes the releaser again.
      if (thrown instanceof NoSuchKey) return [];
      throw thrown;
    }
  }

  const listSources = async () => (await Promise.all(PREFIXES.map(list))).flat();

  return {
    name: bucket,
    listSources,
    async readSources() {
      const left = (await listSources()).filter(({ path }) => !isMap(path));
      const files: SourceFile[] = [];
      const readOn = async () => {
        for (let next = left.pop(); next; next = left.pop()) files.push(...(await readSource(next)));
      };
      await Promise.all(Array.from({ length: CONCURRENT_READS }, readOn));
      return files;
    },
    writeSource: ({ path, text }) => writeText(path, text, typeOf(path)),
    async removeSource(path) {
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: path }));
    },
    readText,
    writeText,
  };
}

/** A template of JSON need not be JSON. */
function typeOf(path: string): string {
  if (path.startsWith("templates/")) return "text/plain; charset=utf-8";
  return /\.(?:json|map)$/.test(path) ? "application/json" : "text/javascript";
}
