import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Manifest } from "../../../gateway/replica/chain/manifest.ts";
import type { ManifestChanges } from "../../../gateway/replica/chain/manifestState.ts";
import { putProven } from "../../../gateway/replica/chain/namedObjects.ts";
import { NameSet } from "../../../gateway/replica/chain/nameSet.ts";
import type { NextManifest } from "../../../gateway/replica/chain/nextManifest.ts";
import { namedKey, packKey, vaultFolder } from "../../../gateway/replica/keys.ts";
import type { ReplicaStore } from "../../../gateway/replica/replicaStore.ts";
import { equalBytes } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { DoomedClass, ManifestPageType, PackKind } from "../../../vault/magic.ts";
import type { PackRow, SegmentRow, SnapshotRow } from "../../../vault/replica/manifestPage.ts";
import type { VaultRoot } from "../../../vault/replica/root.ts";
import { seededBytes, seededId } from "../../vault/seeded.ts";
import { ChainPlace, contentOf, type Gateway, vault } from "./chainFixture.ts";

let place: ChainPlace;
let store: ReplicaStore;
let gateway: Gateway;
beforeEach(async () => {
  place = await ChainPlace.make();
  store = await place.store();
  gateway = await place.gateway("one");
});
afterEach(() => place.remove());

const pack = (i: number): PackRow => ({ name: seededId(`pack ${i}`), bytes: 1000 + i, kind: PackKind.data });
const packsOf = (from: number, count: number): PackRow[] =>
  Array.from({ length: count }, (_, i) => pack(from + i));
const segment = (i: number, packs: number): SegmentRow => ({
  name: seededId(`segment ${i}`),
  bytes: 5000,
  packs,
});
const snapshot = (i: number): SnapshotRow => ({
  id: seededId(`snapshot ${i}`),
  receivedMs: 1e12 + i,
  bytes: 400,
});
const manifestFiles = () => readdir(join(place.folder, "vaults", vault, "manifest"));

/** One generation: its manifest's pages, its root. */
async function commit(
  manifest: Manifest,
  changes: ManifestChanges,
): Promise<{ next: NextManifest; root: VaultRoot }> {
  const generation = ((await gateway.chain.newest())?.root.generation ?? 0) + 1;
  const next = await manifest.next(generation, changes);
  await manifest.put(next);
  const { found } = await gateway.chain.append({ ...contentOf(`${generation}`), ...next.summary });
  manifest.committed(next);
  return { next, root: found.root };
}

async function allRows<Type extends 2 | 3 | 4 | 5>(manifest: Manifest, type: Type) {
  const rows = [];
  for await (const page of manifest.rows(type)) rows.push(...page);
  return rows;
}

test("lists what was added, and is the same when it is read again", async () => {
  const manifest = await Manifest.load(store, vault, undefined);
  await commit(manifest, { packs: packsOf(0, 3), segments: [segment(1, 3)], snapshots: [snapshot(1)] });
  const { root } = await commit(manifest, {
    packs: packsOf(3, 2),
    segments: [segment(2, 2)],
    snapshots: [snapshot(2)],
  });
  expect(root).toMatchObject({ packs: 5, packBytes: 5010, snapshots: 2 });
  const again = await Manifest.load(store, vault, root);
  for (const each of [manifest, again]) {
    expect(await allRows(each, ManifestPageType.packs)).toEqual(packsOf(0, 5));
    expect(await allRows(each, ManifestPageType.snapshots)).toEqual([snapshot(1), snapshot(2)]);
    expect(await allRows(each, ManifestPageType.segments)).toEqual([segment(1, 3), segment(2, 2)]);
    expect(each.hasPack(pack(4).name)).toBe(true);
    expect(each.hasPack(pack(5).name)).toBe(false);
    expect(each.hasSnapshot(snapshot(2).id)).toBe(true);
    expect(each).toMatchObject({ packs: 5, packBytes: 5010, snapshots: 2 });
  }
});

test("writes only last pages and the top anew, and dooms and deletes the ones before", async () => {
  const manifest = await Manifest.load(store, vault, undefined);
  const first = await commit(manifest, { packs: packsOf(0, 9000), snapshots: [snapshot(1)] });
  expect(first.next.pages).toHaveLength(3 + 1 + 1);
  expect(await manifest.sweep()).toEqual({ deleted: 0, locked: 0, failure: undefined });
  const second = await commit(manifest, { packs: packsOf(9000, 10) });
  // The third page of packs, the first of doomed ones, the top.
  expect(second.next.pages).toHaveLength(3);
  expect(await manifestFiles()).toHaveLength(5 + 3);
  expect(await manifest.sweep()).toEqual({ deleted: 2, locked: 0, failure: undefined });
  expect(await manifestFiles()).toHaveLength(4 + 1 + 1);
  const third = await commit(manifest, {});
  expect(third.next.pages).toHaveLength(2);
  expect(third.next.forgotten).toHaveLength(2);
  expect(await allRows(manifest, ManifestPageType.doomed)).toHaveLength(2);
  const again = await Manifest.load(store, vault, third.root);
  expect(await allRows(again, ManifestPageType.packs)).toEqual(packsOf(0, 9010));
});

test("what is doomed leaves its row, is deleted after the root, and never comes back", async () => {
  const manifest = await Manifest.load(store, vault, undefined);
  const bytes = Buffer.from("a pack");
  await commit(manifest, { packs: packsOf(0, 5000), segments: [segment(1, 4000)], snapshots: [snapshot(1)] });
  const gone = [pack(0), pack(7), pack(4999)].map(({ name }) => ({ name, class: DoomedClass.pack }));
  const old = { name: seededId("catalog"), class: DoomedClass.catalog };
  const other = [
    { name: segment(1, 0).name, class: DoomedClass.segment },
    { name: snapshot(1).id, class: DoomedClass.snapshot },
  ];
  await putProven(store, packKey(vault, pack(7).name), bytes);
  const { root } = await commit(manifest, { doom: [...gone, old, ...other], segments: [segment(2, 4000)] });
  expect(root).toMatchObject({ packs: 4997, snapshots: 0 });
  expect(await store.head(packKey(vault, pack(7).name))).toBeDefined();
  expect((await manifest.sweep()).failure).toBeUndefined();
  expect(await store.head(packKey(vault, pack(7).name))).toBeUndefined();
  const kept = packsOf(0, 5000).filter(({ name }) => !gone.some((each) => equalBytes(each.name, name)));
  const again = await Manifest.load(store, vault, root);
  for (const each of [manifest, again]) {
    expect(await allRows(each, ManifestPageType.packs)).toEqual(kept);
    expect(await allRows(each, ManifestPageType.segments)).toEqual([segment(2, 4000)]);
    expect(each.isDoomed(pack(7).name)).toBe(true);
    await expect(async () => each.next(9, { packs: [pack(7)] })).rejects.toThrow("doomed");
    await expect(async () => each.next(9, { doom: gone })).rejects.toThrow("doomed already");
  }
  await commit(manifest, { doom: kept.map(({ name }) => ({ name, class: DoomedClass.pack })) });
  expect(manifest).toMatchObject({ packs: 0, packBytes: 0 });
  expect(await allRows(manifest, ManifestPageType.packs)).toEqual([]);
});

test.each<[string, ManifestChanges]>([
  ["a pack twice", { packs: [pack(1), pack(1)] }],
  ["a pack that is listed", { packs: [pack(0)] }],
  ["a snapshot that is listed", { snapshots: [snapshot(0)] }],
  ["doom of a pack that is not listed", { doom: [{ name: pack(1).name, class: DoomedClass.pack }] }],
  ["doom of a segment that is not listed", { doom: [{ name: pack(1).name, class: DoomedClass.segment }] }],
])("refuses %s", async (_, changes) => {
  const manifest = await Manifest.load(store, vault, undefined);
  await commit(manifest, { packs: [pack(0)], snapshots: [snapshot(0)] });
  await expect(async () => manifest.next(2, changes)).rejects.toThrow(/^manifest: /);
});

describe("deleting", () => {
  /** A store whose deletes answer as `answer` says. */
  const deleting = (answer: (key: string) => "locked" | "deleted" | Promise<never>): ReplicaStore =>
    new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name, target);
        if (name === "delete") return async (key: string) => answer(key);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });

  test("what a retention locks waits, oldest first, and costs one request a time", async () => {
    let asked = 0;
    const counted = deleting(() => {
      asked++;
      return "locked";
    });
    const manifest = await Manifest.load(counted, vault, undefined);
    let root: VaultRoot | undefined;
    for (let i = 0; i < 12; i++) {
      ({ root } = await commit(manifest, { snapshots: [snapshot(i)] }));
      expect((await manifest.sweep()).deleted).toBe(0);
    }
    expect(asked).toBe(11);
    expect(manifest.doomed).toBe(11 * 2 + 10);
    const again = await Manifest.load(store, vault, root);
    expect(again.doomed).toBe(manifest.doomed);
    expect(await again.sweep()).toEqual({ deleted: manifest.doomed, locked: 0, failure: undefined });
  });

  test("a replica that cannot be reached is no failure of the run", async () => {
    const lost = new HoldfastError(ErrorCode.replicaUnreachable, "gone");
    const manifest = await Manifest.load(
      deleting(() => Promise.reject(lost)),
      vault,
      undefined,
    );
    await commit(manifest, { snapshots: [snapshot(0)] });
    await commit(manifest, { snapshots: [snapshot(1)] });
    expect(await manifest.sweep()).toEqual({ deleted: 0, locked: 0, failure: lost });
  });
});

describe("a page that is not what it should be", () => {
  const page = async (): Promise<{ root: VaultRoot; file: (n: number) => string }> => {
    const manifest = await Manifest.load(store, vault, undefined);
    const { next, root } = await commit(manifest, { packs: packsOf(0, 3), snapshots: [snapshot(0)] });
    return {
      root,
      file: (n) => join(place.folder, namedKey(vaultFolder(vault), "manifest", next.pages[n]!.name)),
    };
  };

  test.each([0, 1, 2])("is damage: page %i", async (n) => {
    const { root, file } = await page();
    const damaged = { code: ErrorCode.replicaDamaged };
    await writeFile(file(n), Buffer.alloc(3000));
    await expect(Manifest.load(store, vault, root)).rejects.toMatchObject(damaged);
    await writeFile(file(n), "");
    await expect(Manifest.load(store, vault, root)).rejects.toMatchObject(damaged);
    await rm(file(n));
    await expect(Manifest.load(store, vault, root)).rejects.toMatchObject(damaged);
  });

  test.each([{ packs: 4 }, { packBytes: 1 }, { snapshots: 0 }, { merkle: "00".repeat(32) }])(
    "is damage: a root that says %j",
    async (change) => {
      const { root } = await page();
      await expect(Manifest.load(store, vault, { ...root, ...change })).rejects.toMatchObject({
        code: ErrorCode.replicaDamaged,
      });
    },
  );

  test("left by a writer that stopped is mended when it is written again", async () => {
    const bytes = Buffer.from("an object");
    const key = namedKey(vaultFolder(vault), "index", seededId("any"));
    expect(await putProven(store, key, bytes)).toBe("hashed");
    await writeFile(join(place.folder, key), "other");
    expect(await putProven(store, key, bytes)).toBe("hashed");
    expect((await store.getRange(key, 0, bytes.length)).equals(bytes)).toBe(true);
  });
});

test("100,000 packs keep some ten MB", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const manifest = await Manifest.load(store, vault, undefined);
  const template = pack(0);
  const names = seededBytes("100,000 names", 100_000 * 32);
  const nameOf = (i: number): Buffer => names.subarray(i * 32, i * 32 + 32);
  const packs = Array.from({ length: 100_000 }, (_, i) => ({ ...template, name: nameOf(i) }));
  const { root } = await commit(manifest, { packs });
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const again = await Manifest.load(store, vault, root);
  expect(used() - before).toBeLessThan(24 << 20);
  expect(again.packs).toBe(100_000);
  expect(again.hasPack(nameOf(99_999))).toBe(true);
});

test("a set of names holds what was added and not deleted", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ n: fc.nat(40), add: fc.boolean() }), { maxLength: 200 }), (steps) => {
      const set = new NameSet();
      const model = new Set<number>();
      // Names that begin alike stand in each other's way in the table.
      const nameOf = (n: number): Buffer =>
        Buffer.concat([Buffer.alloc(4, n % 3), seededId(`${n}`)]).subarray(0, 32);
      for (const { n, add } of steps) {
        if (add) expect(set.add(nameOf(n))).toBe(!model.has(n));
        else expect(set.delete(nameOf(n))).toBe(model.has(n));
        if (add) model.add(n);
        else model.delete(n);
      }
      expect(set.size).toBe(model.size);
      for (let n = 0; n <= 40; n++) expect(set.has(nameOf(n))).toBe(model.has(n));
    }),
  );
});
