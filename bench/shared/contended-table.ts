// A model of DynamoDB's contention, with assumed latencies: a transaction locks its items, a write of a locked item is
// rejected, and each write costs units by the size of its item, even if it is rejected.
import { setTimeout as delay } from "node:timers/promises";
import {
  type AttributeValue,
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  type BatchStatementRequest,
  PutItemCommand,
  type PutItemCommandInput,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";

const READ_MS = 5;
const PUT_MS = 6;
const TRANSACTION_MS = 12;
const UNIT_BYTES = 1_024;

type Item = Record<string, AttributeValue>;

/** One write of any kind. */
interface Write {
  name: string;
  /** The new item; for a fence, only the version. */
  item: Item;
  isFence: boolean;
  /** The version that the item must have; undefined if it must not exist. */
  read: string | undefined;
}

type RefusalCode = "TransactionConflict" | "ConditionalCheckFailed";

export function createContendedTable() {
  const items = new Map<string, Item>();
  const locked = new Set<string>();
  const refused = { TransactionConflict: 0, ConditionalCheckFailed: 0 };
  const units = { read: 0, write: 0 };
  const jitter = (ms: number) => delay(ms * (0.7 + Math.random() * 0.6));
  const nameOf = (table: string | undefined, item: Item) => `${table} ${(item.pk ?? item.key)?.S}`;
  const sizeOf = (item: Item | undefined) =>
    Math.max(1, Math.ceil(JSON.stringify(item ?? {}).length / UNIT_BYTES));
  const costOf = ({ name, item }: Write) => Math.max(sizeOf(item), sizeOf(items.get(name)));

  /** Whether another write came between the read and this write. */
  const isStale = ({ name, read }: Write) => items.get(name)?.version?.N !== read;
  function write({ name, item, isFence }: Write): void {
    items.set(name, isFence ? { ...items.get(name), ...item } : item);
  }

  function cancel(at: boolean[], code: RefusalCode): void {
    if (!at.some(Boolean)) return;
    refused[code] += 1;
    throw Object.assign(new Error(code), {
      name: "TransactionCanceledException",
      CancellationReasons: at.map((hit) => ({ Code: hit ? code : "None" })),
      $metadata: { httpStatusCode: 400 },
    });
  }

  async function transact(actions: TransactWriteItem[]): Promise<void> {
    const writes = actions.map(writeOf);
    await delay(1);
    units.write += 2 * writes.reduce((sum, one) => sum + costOf(one), 0);
    cancel(
      writes.map(({ name }) => locked.has(name)),
      "TransactionConflict",
    );
    for (const { name } of writes) locked.add(name);
    try {
      await jitter(TRANSACTION_MS);
      cancel(writes.map(isStale), "ConditionalCheckFailed");
      for (const [nth, one] of writes.entries()) if (!actions[nth]?.ConditionCheck) write(one);
    } finally {
      for (const { name } of writes) locked.delete(name);
    }
  }

  function writeOf({ Put, Update, ConditionCheck }: TransactWriteItem): Write {
    if (Put) return putOf(Put as PutItemCommandInput);
    const { TableName, Key = {}, ExpressionAttributeValues: values } = Update ?? ConditionCheck ?? {};
    const version = Update?.ExpressionAttributeValues?.[":next"] ?? { N: "0" };
    return { name: nameOf(TableName, Key), item: { version }, isFence: true, read: values?.[":read"]?.N };
  }

  const putOf = ({ TableName, Item: item = {}, ExpressionAttributeValues }: PutItemCommandInput): Write => ({
    name: nameOf(TableName, item),
    item,
    isFence: false,
    read: ExpressionAttributeValues?.[":read"]?.N,
  });

  /** Why it was rejected; undefined if it was not. */
  function putNow(one: Write): RefusalCode | undefined {
    units.write += costOf(one);
    const code = locked.has(one.name)
      ? "TransactionConflict"
      : isStale(one)
        ? "ConditionalCheckFailed"
        : undefined;
    if (code) refused[code] += 1;
    else write(one);
    return code;
  }

  async function put(input: PutItemCommandInput): Promise<object> {
    await jitter(PUT_MS);
    const one = putOf(input);
    const code = putNow(one);
    if (!code) return {};
    throw Object.assign(new Error(code), {
      name: `${code}Exception`,
      Item: items.get(one.name),
      $metadata: { httpStatusCode: 400 },
    });
  }

  async function execute(statements: BatchStatementRequest[]): Promise<object> {
    await jitter(PUT_MS);
    return {
      Responses: statements.map((statement) => {
        const one = statementWrite(statement);
        const Code = putNow(one);
        return Code ? { Error: { Code, Item: items.get(one.name) } } : {};
      }),
    };
  }

  function statementWrite({ Statement = "", Parameters = [] }: BatchStatementRequest): Write {
    const table = /"([^"]+)"/.exec(Statement)?.[1];
    const isInsert = Statement.startsWith("INSERT");
    const names = [...Statement.matchAll(isInsert ? /'(\w+)': \?/g : /"(\w+)" = \?/g)].map(
      ([, name = ""]) => name,
    );
    const values = names.map((name, at) => [name, Parameters[at]] as const);
    const item = Object.fromEntries(isInsert ? values : values.slice(0, -1)) as Item;
    const read = isInsert ? undefined : Parameters.at(-1)?.N;
    return { name: nameOf(table, item), item, isFence: false, read };
  }

  async function get(command: BatchGetItemCommand): Promise<object> {
    await jitter(READ_MS);
    const Responses: Record<string, Item[]> = {};
    for (const [table, { Keys = [] }] of Object.entries(command.input.RequestItems ?? {})) {
      const found = Keys.map((key) => items.get(nameOf(table, key)));
      units.read += found.reduce((sum, item) => sum + Math.ceil(sizeOf(item) / 4), 0);
      Responses[table] = found.filter((item) => item !== undefined);
    }
    return { Responses };
  }

  async function send(command: object): Promise<object> {
    if (command instanceof TransactWriteItemsCommand) await transact(command.input.TransactItems ?? []);
    else if (command instanceof PutItemCommand) return put(command.input);
    else if (command instanceof BatchExecuteStatementCommand) return execute(command.input.Statements ?? []);
    else if (command instanceof BatchGetItemCommand) return get(command);
    return {};
  }

  return { items, refused, units, send };
}
