import {
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { AppError } from "../errors.ts";
import { CORE_SCRIPT, type SourceFile } from "./build.ts";
import type { Release } from "./release.ts";

/** The key of the item that names the live release. */
export const LIVE_RELEASE_KEY = "release";

/** The bucket with what was uploaded and the releases made of it, and the pointer to the live one. */
export interface ReleaseStore {
  /** Every file below apis/ and handlers/, and tykjs.js. */
  readSources(): Promise<SourceFile[]>;
  writeSource(file: SourceFile): Promise<void>;
  /** Throws `release-missing` when there is no such object. */
  read(version: string): Promise<Release>;
  write(version: string, text: string): Promise<void>;
  /** The live version, or undefined before the first release. Strongly consistent. */
  liveVersion(): Promise<string | undefined>;
  /** False when somebody else flipped since `from` was read. */
  flip(from: string | undefined, to: string): Promise<boolean>;
}

export function createReleaseStore(deps: {
  s3: S3Client;
  bucket: string;
  dynamo: DynamoDBDocumentClient;
  table: string;
  now: () => number;
}): ReleaseStore {
  const { s3, bucket, dynamo, table } = deps;

  async function readText(key: string): Promise<string> {
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await object.Body?.transformToString("utf-8")) ?? "";
  }

  const writeText = (key: string, text: string, type: string) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text, ContentType: type }));

  async function list(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ...(token && { ContinuationToken: token }),
        }),
      );
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => (Key && !Key.endsWith("/") ? [Key] : [])));
      token = page.NextContinuationToken;
    } while (token);
    return keys;
  }

  return {
    async readSources() {
      const keys = [...(await list("apis/")), ...(await list("handlers/")), ...(await list(CORE_SCRIPT))];
      const files: SourceFile[] = [];
      for (let at = 0; at < keys.length; at += CONCURRENT_READS) {
        const some = keys.slice(at, at + CONCURRENT_READS);
        files.push(...(await Promise.all(some.map(async (path) => ({ path, text: await readText(path) })))));
      }
      return files;
    },
    async writeSource({ path, text }) {
      await writeText(path, text, path.endsWith(".json") ? "application/json" : "text/javascript");
    },
    async read(version) {
      try {
        return JSON.parse(await readText(releaseKey(version))) as Release;
      } catch (cause) {
        if (!(cause instanceof NoSuchKey)) throw cause;
        throw new AppError("release-missing", `there is no ${releaseKey(version)} in bucket ${bucket}`, {
          cause,
        });
      }
    },
    async write(version, text) {
      await writeText(releaseKey(version), text, "application/json");
    },
    async liveVersion() {
      const { Item } = await dynamo.send(
        new GetCommand({ TableName: table, Key: { pk: LIVE_RELEASE_KEY }, ConsistentRead: true }),
      );
      return Item?.version as string | undefined;
    },
    async flip(from, to) {
      const item = { pk: LIVE_RELEASE_KEY, version: to, flipped_at: new Date(deps.now()).toISOString() };
      const condition = from
        ? {
            ConditionExpression: "#v = :from",
            ExpressionAttributeNames: { "#v": "version" },
            ExpressionAttributeValues: { ":from": from },
          }
        : { ConditionExpression: "attribute_not_exists(pk)" };
      try {
        await dynamo.send(new PutCommand({ TableName: table, Item: item, ...condition }));
        return true;
      } catch (thrown) {
        if ((thrown as Error).name === "ConditionalCheckFailedException") return false;
        throw thrown;
      }
    },
  };
}

const CONCURRENT_READS = 20;
const releaseKey = (version: string) => `releases/${version}.json`;
