// Garbage collection beside uploads, commits and reads: whatever the order, what was acknowledged upon and committed is there, and what the
// index says is closed from below.

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenVault } from "../../../../gateway/openVault.ts";
import { RecordStatus } from "../../../../ingest/wire/recordStatus.ts";
import { ErrorCode, isHoldfastError } from "../../../../vault/errors.ts";
import { dataRecord, type GatewayFixture, pageRecord, type TestRecord } from "../../gatewayFixture.ts";
import { collect, type GcClock, gcGateway, VaultUser } from "./gcFixture.ts";

const clock: GcClock = { nowMs: Date.UTC(2026, 10, 1) };
let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await gcGateway(clock);
});
afterAll(async () => {
  await fixture.remove();
});

const user = (on = fixture): Promise<VaultUser> => VaultUser.enrolled(on);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const stored: number = RecordStatus.stored;
const present: number = RecordStatus.present;

/** Every row that lives: its references live, too. */
async function expectClosed(vault: OpenVault): Promise<void> {
  await vault.store.flush(() => undefined);
  const { index } = vault.store;
  const ordinals = new Set<number>();
  index.scan(undefined, Number.POSITIVE_INFINITY, (_group, _id, { ordinal }) => void ordinals.add(ordinal));
  for (const ordinal of ordinals) {
    for (const ref of index.refsOf(ordinal)) expect(ordinals.has(ref), `${ordinal} -> ${ref}`).toBe(true);
  }
}

type Kept = { readonly record: TestRecord; readonly refs: readonly Kept[] };

async function expectReadable(who: VaultUser, kept: Iterable<Kept>): Promise<void> {
  const seen = new Set<Kept>();
  const pending = [...kept];
  for (let each = pending.pop(); each !== undefined; each = pending.pop()) {
    if (seen.has(each)) continue;
    seen.add(each);
    pending.push(...each.refs);
    expect(await who.read(each.record.id)).toEqual(each.record.record);
  }
}

/** Several sessions that reuse each other's garbage while it is collected. */
test("any order of uploads, questions, commits, trash and collections", async () => {
  const step = fc.record({
    what: fc.constantFrom("put", "page", "have", "commit", "end", "trash", "read", "collect", "wait"),
    who: fc.nat(2),
    pick: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 4 }),
  });
  const steps = fc.array(step, { minLength: 20, maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const who = await user();
      const known: Kept[] = [];
      const committed = new Map<string, Kept>();
      const sessions = await Promise.all([0, 1, 2].map((n) => who.begin(`item ${n}`)));
      let running: Promise<unknown> | undefined;
      const pickOf = (shares: readonly number[]): Kept[] => [
        ...new Set(shares.map((share) => known[Math.floor(share * known.length)]).filter((each) => !!each)),
      ];
      const commit = async (n: number, below: Kept): Promise<void> => {
        const own = sessions[n] as (typeof sessions)[0];
        let root = below;
        if (below.refs.length === 0) {
          // A root is a directory.
          const record = pageRecord(who.device, [below.record.id], randomBytes(20).toString("hex"));
          if ((await who.put(record))[0] !== stored) return;
          root = { record, refs: [below] };
          known.push(root);
        }
        try {
          committed.set(await who.commit(own.session, own.item, root.record.id), root);
          sessions[n] = await who.begin(`item ${n}`);
        } catch (error) {
          // Its root may have died: nobody was told of it.
          if (!isHoldfastError(error, ErrorCode.missingChunks)) throw error;
        }
      };
      for (const { what, who: n, pick } of all) {
        const chosen = pickOf(pick);
        if (what === "put") {
          const record = dataRecord(who.device, randomBytes(600));
          expect(await who.put(record)).toEqual([stored]);
          known.push({ record, refs: [] });
        } else if (what === "page") {
          const ids = chosen.map(({ record }) => record.id);
          const record = pageRecord(who.device, ids, randomBytes(200).toString("hex"));
          const [status] = await who.put(record);
          // Where a child died, the page waits, and is nowhere.
          if (status === stored || status === present) known.push({ record, refs: chosen });
        } else if (what === "have" && chosen.length > 0) {
          const has = await who.have(...chosen.map(({ record }) => record.id));
          await turn();
          // What it was told is there, in this session: it can be rested on.
          const told = chosen.filter((_, i) => has[i]);
          const record = pageRecord(
            who.device,
            told.map(({ record: { id } }) => id),
            randomBytes(200).toString("hex"),
          );
          expect(await who.put(record)).toEqual([stored]);
          known.push({ record, refs: told });
        } else if (what === "commit" && chosen[0] !== undefined) await commit(n, chosen[0]);
        else if (what === "end") {
          await who.end((sessions[n] as (typeof sessions)[0]).session);
          sessions[n] = await who.begin(`item ${n}`);
        } else if (what === "trash") {
          const heads = (await who.vault()).catalog.items().map(({ head }) => head);
          const [old] = [...committed.keys()].filter((id) => !heads.includes(id));
          if (old !== undefined) {
            await who.trash(old);
            committed.delete(old);
            clock.nowMs += 2000;
          }
        } else if (what === "read" && chosen[0] !== undefined) await who.read(chosen[0].record.id);
        else if (what === "collect") {
          await running;
          running = collect(who);
          running.catch(() => undefined);
        }
        await turn();
      }
      await running;
      await expectReadable(who, committed.values());
      await expectClosed(await who.vault());
      await collect(who);
      await expectReadable(who, committed.values());
      for (const { session } of sessions) await who.end(session);
      await collect(who);
      await expectReadable(who, committed.values());
      await expectClosed(await who.vault());
      // Nothing but what is reachable is left.
      const live = new Set<Kept>();
      const pending = [...committed.values()];
      for (let each = pending.pop(); each !== undefined; each = pending.pop()) {
        if (!live.has(each)) pending.push(...each.refs);
        live.add(each);
      }
      for (const each of known) expect(await who.hasRow(each.record.id)).toBe(live.has(each));
    }),
    { numRuns: Number(process.env.GC_RUNS ?? 10), seed: Number(process.env.FC_SEED ?? Date.now() % 1e9) },
  );
});

test("a record that was decided before the barrier and stored behind it keeps what it refers to", async () => {
  // The only vault of its gateway: its cycle opens before the batch is on the disk.
  const alone = await gcGateway(clock);
  try {
    const who = await user(alone);
    const child = dataRecord(who.device);
    const { session } = await who.begin("first");
    await who.put(child);
    await who.end(session);
    const page = pageRecord(who.device, [child.id]);
    const vault = await who.vault();
    const before = vault.store.activity;
    const putting = who.put(page);
    while (vault.store.activity === before) await turn();
    const collecting = collect(who);
    expect(await putting).toEqual([stored]);
    await collecting;
    expect(await who.read(child.id)).toEqual(child.record);
    await expectClosed(vault);
  } finally {
    await alone.remove();
  }
});

test("agents forget what they believe to be here when something died, and only then", async () => {
  const who = await user();
  const vault = await who.vault();
  const { session, item } = await who.begin("files");
  const root = pageRecord(who.device, []);
  await who.put(root);
  await who.commit(session, item, root.id);
  const token = vault.catalog.cacheToken();
  await collect(who);
  expect(vault.catalog.cacheToken()).toBe(token);
  const { session: cancelled } = await who.begin("files");
  await who.put(dataRecord(who.device));
  await who.end(cancelled);
  await collect(who, { dryRun: true });
  expect(vault.catalog.cacheToken()).toBe(token);
  await collect(who);
  expect(vault.catalog.cacheToken()).not.toBe(token);
});
