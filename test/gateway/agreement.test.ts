import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { agree } from "../../lib/gateway/merge.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { plainConfig } from "./config.ts";
import { createWorld, type World } from "./world.ts";

const RUNS = Number(process.env.HISTORIES ?? 5_000);
const ORG = "5e9d9544a1dcd60001d0ed20";
const KEYS = ["a", "b"].map((letter) => `${ORG}${letter.repeat(32)}`) as [string, string];

const CONFIG = plainConfig(ORG);

const RIGHTS = { api1: { api_id: "api1", api_name: "Api 1", versions: ["Default"] } };

type Step =
  | { do: "edit"; key: number; member: "alias" | "rate" | "meta" | "tag" | "block" }
  | { do: "edit-at-pause"; key: number; member: "alias" | "rate" | "meta" | "tag" | "block" }
  | { do: "begin" | "finish"; key: number }
  | { do: "delete" | "create" | "use" | "handle" | "race" | "revoke" | "doubt"; key: number }
  | { do: "sync"; records: number; dies: "after-gateway" | "after-later" | undefined }
  | { do: "wait"; ms: number }
  | { do: "disturb"; fault: "store-down" | "unreachable" | undefined };

const key = fc.nat({ max: KEYS.length - 1 });
const member = fc.constantFrom("alias", "rate", "meta", "tag", "block");
const of = <Name extends string>(...names: Name[]) => fc.record({ do: fc.constantFrom(...names), key });
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("edit"), key, member }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("edit-at-pause"), key, member }) },
  { weight: 2, arbitrary: of("delete", "create", "create", "revoke") },
  { weight: 2, arbitrary: of("begin", "finish") },
  { weight: 6, arbitrary: of("use", "handle", "handle", "race", "doubt") },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("sync"),
      records: fc.integer({ min: 1, max: 4 }),
      dies: fc.constantFrom(undefined, undefined, undefined, "after-gateway", "after-later"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(10, 1_000, 6_000, 12_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("disturb"),
      fault: fc.constantFrom(undefined, undefined, "store-down", "unreachable"),
    }),
  },
) as fc.Arbitrary<Step>;

/** What must be true of a key in the end. */
interface Expected {
  exists: boolean;
  /** Members that one side alone set, each to a value that was never there before. */
  meta: Map<string, unknown>;
  tags: Set<string>;
  alias: string | undefined;
  rate: number | undefined;
  isBlocked: boolean;
  /** What handlers made of former keys of this name. */
  buried: Set<string>;
}

const blank = (buried: Set<string>): Expected => ({
  exists: false,
  meta: new Map(),
  tags: new Set(),
  alias: undefined,
  rate: undefined,
  isBlocked: false,
  buried,
});

type Kind = "alias" | "rate" | "meta" | "tag" | "block";

/** One key in a history: what is done to it on both sides, and what has to come of it. */
function createKey(world: World, name: string, next: () => number) {
  let wanted = blank(new Set());
  const underWay: (() => void)[] = [];
  let created: unknown;
  /** `date_created` of those that a handler removed. */
  const revoked = new Set<unknown>();
  const mayLive = () => wanted.exists && !revoked.has(created);

  function bury(exists: boolean): void {
    wanted = {
      ...blank(new Set([...wanted.buried, ...wanted.tags].filter((tag) => tag.startsWith("h")))),
      exists,
    };
  }

  function create(): void {
    bury(true);
    world.admin("POST", name, {
      org_id: ORG,
      rate: 100,
      per: 60,
      quota_max: 1_000,
      quota_renewal_rate: 3_600,
      quota_remaining: 1_000,
      access_rights: RIGHTS,
    });
    created = world.admin("GET", name)?.date_created;
  }

  /** An admin reads the session, changes it and writes the whole of it. */
  function edit(kind: Kind): void {
    const session = world.admin("GET", name);
    if (!session) return;
    const id = next();
    if (kind === "alias") wanted.alias = `a${id}`;
    if (kind === "rate") wanted.rate = 1_000 + id;
    if (kind === "block") wanted.isBlocked = true;
    if (kind === "meta") wanted.meta.set(`g${id}`, id);
    if (kind === "tag") wanted.tags.add(`g${id}`);
    world.admin("PUT", name, {
      ...session,
      ...(kind === "alias" && { alias: wanted.alias }),
      ...(kind === "rate" && { rate: wanted.rate }),
      ...(kind === "block" && { is_inactive: true }),
      meta_data: { ...(session.meta_data as object), ...(kind === "meta" && { [`g${id}`]: id }) },
      tags: [...((session.tags as string[]) ?? []), ...(kind === "tag" ? [`g${id}`] : [])],
    });
  }

  /** Ends the requests that are under way. What the gateway's own write-back undoes of its own is not ours to mend. */
  function finish(): void {
    for (const end of underWay.splice(0)) end();
    const there = world.admin("GET", name);
    if (!there) return;
    // What it brings back is the key that was deleted, and what was meant for that is meant for it.
    if (!wanted.exists || there.date_created !== created) wanted = { ...blank(new Set()), exists: true };
    created = there.date_created;
    if (there.alias !== wanted.alias) wanted.alias = undefined;
    if (there.rate !== wanted.rate) wanted.rate = undefined;
    wanted.isBlocked = Boolean(there.is_inactive);
    const meta = (there.meta_data ?? {}) as Record<string, unknown>;
    for (const member of [...wanted.meta.keys()])
      if (member.startsWith("g") && !(member in meta)) wanted.meta.delete(member);
    for (const tag of [...wanted.tags])
      if (tag.startsWith("g") && !(there.tags as string[] | undefined)?.includes(tag))
        wanted.tags.delete(tag);
  }

  async function handle(between?: () => void): Promise<void> {
    const tag = `h${next()}`;
    const isDone = await world.run(name, (session) => handled(session, tag), between);
    const isOfThisKey = world.row(name)?.gateway?.created === world.admin("GET", name)?.date_created;
    if (!isDone) return;
    if (!isOfThisKey) return void wanted.buried.add(tag);
    wanted.meta.set(tag, 1);
    wanted.tags.add(tag);
  }

  return {
    create,
    edit,
    finish,
    handle,
    begin: () => void underWay.push(world.begin(name)),
    race: () => handle(() => edit("alias")),
    remove() {
      world.admin("DELETE", name);
      bury(false);
    },
    createAgain() {
      if (world.admin("GET", name) === undefined) create();
    },
    async revoke() {
      const isDone = await world.run(name, () => undefined);
      if (isDone) revoked.add(world.row(name)?.gateway?.created);
    },
    check() {
      const there = world.admin("GET", name);
      const row = world.row(name);
      if (row) {
        assert.equal(row.gateway?.change, undefined, "a change is still on its way");
        if (!row.session) assert.equal(there, undefined, "the row is a tombstone of a key that lives");
        else assert.ok(there && agree(row.session, there), "the two sides differ");
      }
      if (!mayLive()) assert.equal(there, undefined, "a revoked key lives");
      if (!there) return assert.ok(!mayLive(), "a key is lost");
      if (wanted.alias) assert.equal(there.alias, wanted.alias);
      if (wanted.rate) assert.equal(there.rate, wanted.rate);
      if (wanted.isBlocked) assert.ok(there.is_inactive, "it unblocked itself");
      const meta = (there.meta_data ?? {}) as Record<string, unknown>;
      const tags = (there.tags ?? []) as string[];
      for (const [member, value] of wanted.meta)
        assert.equal(meta[member], value, `meta_data.${member} is lost`);
      for (const tag of wanted.tags) assert.ok(tags.includes(tag), `tag ${tag} is lost`);
      for (const tag of wanted.buried) assert.ok(!tags.includes(tag), `tag ${tag} was meant for another key`);
    },
  };
}

const handled = (session: Session, tag: string): Session => ({
  ...session,
  meta_data: { ...session.meta_data, [tag]: 1 },
  tags: [...(session.tags ?? []), tag],
});

type Key = ReturnType<typeof createKey>;

async function take(one: Step, world: World, keys: Key[]): Promise<void> {
  if (one.do === "sync") return world.sync(one.records, one.dies);
  if (one.do === "disturb") return world.disturb(...(one.fault ? [{ kind: one.fault } as const] : []));
  if (one.do === "wait") {
    // No request takes so long.
    if (one.ms > 1_000) for (const one of keys) one.finish();
    return world.wait(one.ms);
  }
  const key = keys[one.key] as Key;
  switch (one.do) {
    case "edit":
      return key.edit(one.member);
    case "edit-at-pause":
      return world.atPause(() => key.edit(one.member));
    case "delete":
      return key.remove();
    case "create":
      return key.createAgain();
    case "use":
      return world.use(KEYS[one.key] ?? "");
    case "doubt":
      return world.doubt(KEYS[one.key] ?? "");
    case "begin":
    case "finish":
    case "revoke":
    case "handle":
    case "race":
      return key[one.do]();
  }
}

/** One history: what happens on both sides, in this order, and what has come of it. */
async function live(steps: Step[]): Promise<void> {
  const world = createWorld(CONFIG);
  let serial = 0;
  const next = () => {
    serial += 1;
    return serial;
  };
  const keys = KEYS.map((name) => createKey(world, name, next));
  for (const key of keys) key.create();
  world.wait(1_000);
  for (const one of steps) await take(one, world, keys);
  world.disturb();
  for (const key of keys) key.finish();
  await world.settle();
  for (const name of world.rows()) world.doubt(name);
  await world.settle();
  for (const key of keys) key.check();
  for (const name of world.made) assert.ok(!KEYS.includes(name), "a key that the gateway had was made again");
}

describe("whatever happens on both sides", () => {
  it("they agree in the end, no revoked key lives, and what one side alone changed is there", async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), live), {
      numRuns: RUNS,
    });
  });
});
