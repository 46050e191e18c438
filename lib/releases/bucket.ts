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

/** A file in the bucket, without its content. */
export interface BucketFile {
  path: string;
  bytes: number;
  /** The MD5 of its text in hex, for a file that was uploaded in one part. */
  etag: string;
  /** When it was uploaded, in ms since 1970. */
  putAt: number;
}

/** The bucket: the uploaded files, and the releases made from them. */
export interface Bucket {
  name: string;
  /**
   * The files of which releases are made, their source maps, and files that should have been bundled; no other files.
   */
  listSources(): Promise<BucketFile[]>;
  /** The same without the source maps; for files that should have been bundled, only the name and size. */
  readSources(): Promise<SourceFile[]>;
  writeSource(file: SourceFile): Promise<void>;
  removeSource(path: string): Promise<void>;
  readText(key: string): Promise<string>;
  writeText(key: string, text: string, type: string): Promise<void>;
}

const CONCURRENT_READS = 50;
const PREFIXES = [...Object.keys(SOURCE_FOLDERS), CORE_SCRIPT, GATEWAY_FILE];

/** Reads up to 50 objects at the same time. Throws errors of the SDK unchanged. */
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
    // The SDK does not know the length of an empty text, and prints a warning.
    await s3.send(new PutObjectCommand({ ...put, ContentLength: Buffer.byteLength(text) }));
  }

  async function readSource({ path, bytes }: BucketFile): Promise<SourceFile[]> {
    if (isModuleFile(path) || bytes > sizeLimit(path)) return [{ path, text: "", bytes }];
    try {
      return [{ path, text: await readText(path) }];
    } catch (thrown) {
      // Deleted since it was listed: the notification of that invokes the releaser again.
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

/** A template for JSON need not be valid JSON. */
function typeOf(path: string): string {
  if (path.startsWith("templates/")) return "text/plain; charset=utf-8";
  return /\.(?:json|map)$/.test(path) ? "application/json" : "text/javascript";
}
