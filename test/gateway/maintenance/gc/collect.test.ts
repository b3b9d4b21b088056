// Garbage collection on a real gateway: what stays, what goes, what it meets on the way.

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorCode } from "../../../../vault/errors.ts";
import {
  dataRecord,
  type GatewayFixture,
  pageRecord,
  posingAs,
  type TestRecord,
} from "../../gatewayFixture.ts";
import { collect, type GcClock, gcGateway, VaultUser } from "./gcFixture.ts";

const clock: GcClock = { nowMs: Date.UTC(2026, 10, 1) };
let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await gcGateway(clock);
});
afterAll(async () => {
  await fixture.remove();
});

/** A device with a vault of its own. */
const user = (): Promise<VaultUser> => VaultUser.enrolled(fixture);

/** A record that is in the model, with the numbers of those that it refers to. */
type Node = TestRecord & { readonly refs: readonly number[] };

function below(nodes: readonly Node[], roots: Iterable<number>): Set<number> {
  const seen = new Set<number>();
  const pending = [...roots];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    pending.push(...(nodes[at] as Node).refs);
  }
  return seen;
}

/** By number: everything of `live` can be read, nothing else has a row. */
async function expectExactly(
  who: VaultUser,
  nodes: readonly Node[],
  live: ReadonlySet<number>,
): Promise<void> {
  for (const [number, { id, record }] of nodes.entries()) {
    if (live.has(number)) expect(await who.read(id), `record ${number}`).toEqual(record);
    else expect(await who.hasRow(id), `record ${number}`).toBe(false);
  }
  expect(who.packFiles().sort()).toEqual((await who.packNames()).sort());
}

test("everything that is reachable stays, everything else goes: any graph, snapshots, trash and leases", async () => {
  const graph = fc.record({
    // Per record: what it refers to, as shares of what was before it.
    records: fc.array(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 4 }), {
      minLength: 4,
      maxLength: 40,
    }),
    // Per snapshot: its root, and what becomes of it.
    snapshots: fc.array(
      fc.record({
        root: fc.double({ min: 0, max: 0.999, noNaN: true }),
        fate: fc.constantFrom("stays", "trash", "leaves"),
        item: fc.constantFrom("a", "b"),
      }),
      { maxLength: 6 },
    ),
    uploader: fc.constantFrom("ended", "open", "told"),
    reopen: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(graph, async ({ records, snapshots, uploader, reopen }) => {
      const who = await user();
      const nodes: Node[] = [];
      for (const [number, shares] of records.entries()) {
        const refs = [...new Set(shares.map((share) => Math.floor(share * number)))].filter(() => number > 0);
        const children = refs.map((ref) => (nodes[ref] as Node).id);
        const made =
          refs.length === 0
            ? dataRecord(who.device, randomBytes(700))
            : pageRecord(who.device, children, `${number} ${randomBytes(300).toString("hex")}`);
        nodes.push({ ...made, refs });
      }
      // Who uploaded them has ended his session, or has not.
      const upload = await who.begin("uploads");
      for (let at = 0; at < nodes.length; at += 5) await who.put(...nodes.slice(at, at + 5));
      if (uploader !== "open") await who.end(upload.session);
      const roots = new Map<string, { root: number; fate: string }>();
      for (const { root, fate, item } of snapshots) {
        const { session, item: row } = await who.begin(item);
        let number = Math.floor(root * nodes.length);
        if ((nodes[number] as Node).refs.length === 0) {
          // A root is a directory.
          const page = pageRecord(who.device, [(nodes[number] as Node).id], randomBytes(20).toString("hex"));
          await who.put(page);
          number = nodes.push({ ...page, refs: [number] }) - 1;
        }
        roots.set(await who.commit(session, row, (nodes[number] as Node).id), { root: number, fate });
      }
      const vault = await who.vault();
      const heads = vault.catalog.items().map(({ head }) => head);
      const byFate = (fate: string): string[] =>
        [...roots].filter(([id, each]) => each.fate === fate && !heads.includes(id)).map(([id]) => id);
      await who.trash(...byFate("leaves"));
      clock.nowMs += 2000;
      await who.trash(...byFate("trash"));
      const leaving = new Set(byFate("leaves"));
      const kept = [...roots].filter(([id]) => !leaving.has(id)).map(([, { root }]) => root);
      if (uploader === "told") {
        // What it was told stays, and maybe more that was asked for since the last run; without it the next run is exact.
        const { session } = await who.begin("asker");
        const told = nodes.length - 1;
        expect(await who.have((nodes[told] as Node).id)).toEqual([true]);
        await collect(who);
        for (const number of below(nodes, [...kept, told])) {
          expect(await who.read((nodes[number] as Node).id)).toEqual((nodes[number] as Node).record);
        }
        await who.end(session);
      }
      if (uploader === "open") kept.push(...nodes.keys());
      const live = below(nodes, kept);
      const vaultOf = (result: Awaited<ReturnType<typeof collect>>) =>
        result.vaults.find(({ account }) => account === who.device.account.name);
      if (uploader !== "told") {
        const dead = nodes.length - live.size;
        const plan = { snapshots: leaving.size, liveRecords: live.size, deadRecords: dead };
        expect(vaultOf(await collect(who, { dryRun: true }))?.plan).toMatchObject(plan);
        const done = vaultOf(await collect(who));
        expect(done?.plan).toMatchObject(plan);
        expect(done?.records).toBe(dead);
      } else await collect(who);
      await expectExactly(who, nodes, live);
      for (const [id] of roots) expect(vault.catalog.snapshot(id) === undefined).toBe(leaving.has(id));
      if (reopen) {
        await fixture.stop();
        await fixture.start();
        await expectExactly(who, nodes, live);
      }
      // What is dead is stored again, and found by its new parents.
      for (const node of nodes) await who.put(node);
      await expectExactly(who, nodes, new Set(nodes.keys()));
    }),
    { numRuns: Number(process.env.GC_RUNS ?? 8), seed: Number(process.env.FC_SEED ?? Date.now() % 1e9) },
  );
});

test("a pack of which a record is reported while it is written anew stays", async () => {
  const who = await user();
  const records = Array.from({ length: 6 }, () => dataRecord(who.device, randomBytes(1500)));
  const [alive] = records as [TestRecord];
  const { session, item } = await who.begin("files");
  const root = pageRecord(who.device, [alive.id], "root");
  await who.put(...records, root);
  await who.commit(session, item, root.id);
  const vault = await who.vault();
  await vault.store.closeOpenPacks();
  const { group } = who.device;
  const { pack } = vault.store.index.lookup(group, alive.id)!;
  let reported: Promise<unknown> | undefined;
  const onProgress = ({ phase }: { readonly phase: string }): void => {
    if (phase === "repacking") reported ??= vault.quarantine(group, [alive.id], who.device.id);
  };
  await collect(who, {}, { onProgress });
  expect(reported).toBeDefined();
  await reported;
  expect(vault.store.packs.get(pack)).toBeDefined();
  expect(await who.read(alive.id)).toEqual(alive.record);
  // Another device's report gives readers any other copy that is kept.
  await vault.quarantine(group, [alive.id], "ee".repeat(16));
  expect(await who.read(alive.id)).toEqual(alive.record);
});

test("a copy that was moved while it was reported takes nothing along that is kept of the record", async () => {
  const who = await user();
  const friend = new VaultUser(fixture, await fixture.device(who.device.account, "desktop"));
  const { group } = who.device;
  const vault = await who.vault();
  const chunks = (): TestRecord[] =>
    Array.from({ length: 6 }, () => dataRecord(who.device, randomBytes(1500)));
  const packOf = ({ id }: TestRecord): number => vault.store.index.lookup(group, id)!.pack;
  // Metadata packs too are written anew where little of them lives.
  const page = pageRecord(who.device, [], "page");
  const root = pageRecord(who.device, [page.id], "root");
  const dead = Array.from({ length: 6 }, (_, n) => pageRecord(who.device, [], `${"dead".repeat(50)} ${n}`));
  const { session, item } = await who.begin("files");
  await who.put(...chunks(), page, root, ...dead);
  await who.commit(session, item, root.id);
  await vault.store.closeOpenPacks();
  const before = packOf(page);
  let reported: Promise<unknown> | undefined;
  const onProgress = ({ phase }: { readonly phase: string }): void => {
    if (phase === "repacking") reported ??= vault.quarantine(group, [page.id], friend.device.id);
  };
  await collect(who, {}, { onProgress });
  await reported;
  const moved = packOf(page);
  expect(moved).not.toBe(before);
  // Another record in its place; then nothing names the pack that the first one was moved to.
  const posing = posingAs(page.id, pageRecord(friend.device, [], "other"));
  const sent = await friend.begin("files");
  await friend.put({ id: page.id, record: posing });
  await friend.end(sent.session);
  expect(await who.read(page.id)).toEqual(posing);
  for (let n = 0; n < 3 && vault.store.packs.get(moved) !== undefined; n++) {
    await vault.store.closeOpenPacks();
    await collect(who);
  }
  expect(vault.store.packs.get(moved)).toBeUndefined();
  await collect(who);
  // Whoever finds the other one wrong gets what the first device stored.
  await vault.quarantine(group, [page.id], who.device.id);
  expect(await who.read(page.id)).toEqual(page.record);
});

test("a vault that says what this program does not know of collecting is left alone", async () => {
  const who = await user();
  const { document } = await who.vault();
  (document.features.gc as string[]).push("counted-1");
  await expect(collect(who)).rejects.toMatchObject({ code: ErrorCode.unsupported });
});
