// A page of sessions: the index gives keys, and what is shown is what the table has by then.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, it } from "node:test";
import {
  BatchGetItemCommand,
  type BatchGetItemCommandOutput,
  type DynamoDBClient,
  QueryCommand,
} from "@aws-sdk/client-dynamodb";
import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { sessionItem } from "../../lib/sessions/item.ts";
import { formatCursor, parseCursor } from "../../lib/sessions/list.ts";
import { createSessionRows, type RowPage } from "../../lib/sessions/rows.ts";
import type { Search } from "../../lib/sessions/search.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { useServices } from "../helpers/services.ts";

const NOW = 1_900_000_000;

describe("a page of an organisation's sessions", () => {
  const services = useServices();
  let table: string;
  before(async () => {
    const env = await services.newResources("rows");
    table = env.SESSIONS_TABLE;
  });

  const put = (key: string, session: Partial<Session>) =>
    services.clients.dynamo.send(
      new PutCommand({ TableName: table, Item: sessionItem(key, session as Session, 1, 0) }),
    );
  const remove = (key: string) =>
    services.clients.dynamo.send(new DeleteCommand({ TableName: table, Key: { key } }));

  type Send = (command: object) => Promise<object>;
  const real: Send = (command) => services.clients.dynamoClient.send(command as QueryCommand);
  const rowsBy = (send: Send) =>
    createSessionRows({
      dynamo: { send } as unknown as DynamoDBClient,
      table,
      now: () => NOW * 1_000,
      random: () => 0,
    });
  /** Something happens between the answer of the index and the look at the table. */
  const rowsWhile = (meanwhile: () => Promise<unknown>) =>
    rowsBy(async (command) => {
      const answer = await real(command);
      if (command instanceof QueryCommand) await meanwhile();
      return answer;
    });
  const keysOf = ({ rows }: RowPage) => rows.map(({ key }) => key);

  /** An organisation with sessions of its own; answers their keys by their end. */
  async function filled(count: number): Promise<{ org_id: string; keys: string[] }> {
    const org_id = randomUUID();
    const keys = Array.from({ length: count }, (_, at) => `${org_id} ${at}`);
    await Promise.all(keys.map((key, at) => put(key, { org_id, expires: NOW + at, alias: org_id })));
    return { org_id, keys };
  }

  it("shows the table's sessions in the index's order, of more keys than one call takes", async () => {
    const { org_id, keys } = await filled(230);
    const page = await rowsBy(real).page({ orgId: org_id }, 1_000);
    assert.deepEqual(keysOf(page), keys);
    assert.deepEqual([page.looked, page.next], [230, undefined]);
    assert.equal(page.rows[7]?.stored.session?.alias, org_id);
  });

  it("leaves out what has gone, moved to another organisation or out of the range meanwhile", async () => {
    const { org_id, keys } = await filled(5);
    const [gone = "", moved = "", renewed = "", ...kept] = keys;
    const rows = rowsWhile(async () => {
      await remove(gone);
      await put(moved, { org_id: "another", expires: NOW + 1 });
      await put(renewed, { org_id, expires: NOW + 1_000 });
    });
    const search: Search = { orgId: org_id, expires: { from: 1, to: NOW + 100 } };
    assert.deepEqual(keysOf(await rows.page(search, 100)), kept);
  });

  it("says where a row stands in the index, whatever the row says by then", async () => {
    const { org_id, keys } = await filled(4);
    const [first = "", ...others] = keys;
    const rows = rowsWhile(() => put(first, { org_id, expires: NOW + 1_000 }));
    const search: Search = { orgId: org_id };
    const page = await rows.page(search, 1);
    const [row] = page.rows;
    assert.equal(row?.expires, NOW + 1_000, "what is shown is as it is now");
    assert.deepEqual(row?.place, { key: first, org_id, expires: NOW });
    assert.deepEqual(row?.place, page.next);
    const after = parseCursor(formatCursor(row?.place ?? {}), search);
    const rest = keysOf(await rowsBy(real).page(search, 100, after));
    assert.deepEqual(rest, [...others, first], "nothing is passed over");
  });

  it("of an alias leaves out what has another one by now", async () => {
    const { org_id, keys } = await filled(2);
    const [first = "", second = ""] = keys;
    const rows = rowsWhile(() => put(first, { org_id, alias: "another" }));
    const page = await rows.page({ alias: org_id }, 100);
    assert.deepEqual(keysOf(page), [second]);
    assert.deepEqual(page.rows[0]?.place, { key: second, alias: org_id });
  });

  describe("when the table leaves keys unprocessed", () => {
    /** Answers the first so many keys of a call. */
    const answering = (count: (call: number) => number) => {
      let calls = 0;
      const asked: number[] = [];
      const send: Send = async (command) => {
        if (!(command instanceof BatchGetItemCommand)) return real(command);
        const { Keys = [], ...rest } = command.input.RequestItems?.[table] ?? {};
        asked.push(Keys.length);
        const taken = Keys.slice(0, count(calls++));
        const left = Keys.slice(taken.length);
        const request = { [table]: { ...rest, Keys: taken } };
        const { Responses = {} } = (
          taken.length > 0 ? await real(new BatchGetItemCommand({ RequestItems: request })) : {}
        ) as Partial<BatchGetItemCommandOutput>;
        return { Responses, UnprocessedKeys: left.length > 0 ? { [table]: { ...rest, Keys: left } } : {} };
      };
      return { rows: rowsBy(send), asked };
    };

    it("asks for the rest until it has all, however large they are", async () => {
      const { org_id, keys } = await filled(20);
      const { rows, asked } = answering(() => 2);
      assert.deepEqual(keysOf(await rows.page({ orgId: org_id }, 100)), keys);
      assert.deepEqual(asked, [20, 18, 16, 14, 12, 10, 8, 6, 4, 2]);
    });

    it("gives up when nothing is answered again and again, and shows no part of a page", async () => {
      const { org_id } = await filled(3);
      const { rows, asked } = answering((call) => (call === 0 ? 1 : 0));
      await assert.rejects(rows.page({ orgId: org_id }, 100), { code: "dependency-failed" });
      assert.ok(asked.length > 3 && asked.length < 20, `${asked}`);
    });
  });
});
