// Any damage to a vault's files, then a repair: what is whole reads back, what is not is listed, and nothing wrong is ever served.

import { hash } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { namedFiles, openPackFiles } from "../../../gateway/maintenance/rebuild/packFile.ts";
import { wholeRecords } from "../../../gateway/maintenance/rebuild/salvage.ts";
import type { RepairedVault } from "../../../gateway/maintenance/repair/repairVault.ts";
import { toHex } from "../../../vault/bytes.ts";
import { repair, SampleVault, silent, withGateway } from "./sampleVault.ts";

/** Where a record stands: its own bytes, and those that are needed to find it. */
type Place = { readonly file: string; readonly offset: number; readonly length: number };

let sample: SampleVault;
/** By id. */
const places = new Map<string, Place[]>();
/** The whole vault's files by their names below its directory. */
const files = new Map<string, Buffer>();

beforeAll(async () => {
  sample = await SampleVault.create();
  const directory = sample.directoryOf(sample.copy());
  for (const { path } of [...namedFiles(directory, "packs"), ...openPackFiles(directory)]) {
    files.set(below(directory, path), readFileSync(path));
    for (const { row } of await wholeRecords(path, undefined)) {
      const place = { file: below(directory, path), offset: row.offset, length: row.length };
      places.set(toHex(row.id), [...(places.get(toHex(row.id)) ?? []), place]);
    }
  }
  for (const name of readdirSync(join(directory, "snapshots"))) {
    files.set(`snapshots/${name}`, readFileSync(join(directory, "snapshots", name)));
  }
});
afterAll(() => sample.remove());

const below = (directory: string, path: string): string => path.slice(directory.length + 1);

type Damage =
  | { readonly kind: "flip"; readonly file: number; readonly at: number; readonly mask: number }
  | { readonly kind: "zero"; readonly file: number; readonly at: number; readonly length: number }
  | { readonly kind: "cut"; readonly file: number; readonly at: number }
  | { readonly kind: "remove"; readonly file: number }
  | { readonly kind: "index" };

const file = fc.nat(1000);
const at = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const damages: fc.Arbitrary<Damage[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("flip" as const),
        file,
        at,
        mask: fc.integer({ min: 1, max: 255 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("zero" as const),
        file,
        at,
        length: fc.integer({ min: 1, max: 9000 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("cut" as const), file, at }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), file }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("index" as const) }) },
  ),
  { minLength: 1, maxLength: 4 },
);

function inflict(directory: string, damage: Damage): void {
  if (damage.kind === "index") {
    rmSync(join(directory, "index"), { recursive: true, force: true });
    return;
  }
  const names = [...files.keys()];
  const path = join(directory, names[damage.file % names.length] as string);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return;
  if (damage.kind === "remove") {
    rmSync(path);
    return;
  }
  const fd = openSync(path, "r+");
  const position = Math.floor(damage.at * size);
  if (damage.kind === "cut") ftruncateSync(fd, position);
  else if (damage.kind === "zero") {
    writeSync(fd, Buffer.alloc(Math.min(damage.length, size - position)), 0, undefined, position);
  } else {
    const byte = readFileSync(path)[position] as number;
    writeSync(fd, Buffer.of(byte ^ damage.mask), 0, 1, position);
  }
  closeSync(fd);
}

/** Whether a record's bytes, and its frame or the end of its pack, are as they were. */
function isWhole(directory: string, { file: name, offset, length }: Place): boolean {
  const before = files.get(name) as Buffer;
  const now = read(join(directory, name));
  const same = (from: number, to: number): boolean =>
    now.length >= to && before.subarray(from, to).equals(now.subarray(from, to));
  if (!same(offset, offset + length)) return false;
  const last = name.startsWith("open/") ? before.length : before.readUInt32LE(before.length - 64);
  const byTrailer = now.length === before.length && last < before.length && same(last, before.length);
  return same(offset - 64, offset) || byTrailer;
}

function read(path: string): Buffer {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? Buffer.alloc(0) : readFileSync(path);
}

/** All files below a vault's directory, but LMDB's table of readers, and their hashes. */
function digest(directory: string): string[] {
  const lines: string[] = [];
  for (const name of (readdirSync(directory, { recursive: true }) as string[]).sort()) {
    const path = join(directory, name);
    if (!statSync(path).isFile() || basename(name) === "lock.mdb") continue;
    lines.push(`${name} ${hash("sha256", readFileSync(path))}`);
  }
  return lines;
}

const idsOf = ({ hurt }: RepairedVault): string[] => hurt.map(({ id }) => id).sort();

async function examine(inflicted: readonly Damage[]): Promise<void> {
  const path = sample.copy();
  const directory = sample.directoryOf(path);
  for (const damage of inflicted) inflict(directory, damage);
  const isKept = ({ id }: { id: string }): boolean =>
    !inflicted.some(({ kind }) => kind === "index") ||
    read(join(directory, "snapshots", id)).equals(files.get(`snapshots/${id}`) as Buffer);
  const whole = new Set<string>();
  for (const [id, all] of places) if (all.some((place) => isWhole(directory, place))) whole.add(id);
  const expected = sample.snapshots.filter(isKept).map((snapshot) => ({
    snapshot,
    lacking: [...snapshot.records.keys()].filter((id) => !whole.has(id)).sort(),
  }));
  const before = digest(directory);
  const planned = await repair(path, true);
  expect(digest(directory), "a dry run changes nothing").toEqual(before);
  const repaired = await repair(path, false);
  const hurt = expected.filter(({ lacking }) => lacking.length > 0).map(({ snapshot }) => snapshot.id);
  expect(idsOf(repaired)).toEqual(hurt.sort());
  expect(idsOf(planned), "the dry run said so").toEqual(idsOf(repaired));
  await withGateway(path, async (gateway) => {
    const vault = await gateway.vault(sample.device.vault);
    await vault.waits.settle();
    for (const { snapshot, lacking } of expected) {
      expect((await sample.lacking(vault, snapshot)).sort()).toEqual(lacking);
      const told = repaired.hurt.find(({ id }) => id === snapshot.id);
      // Below a page that is lost nothing is known to be lacking.
      for (const id of told?.ids ?? []) expect(lacking).toContain(id);
      expect(vault.pendingBoxes(snapshot.id) !== undefined, "marked").toBe(lacking.length > 0);
      const present = vault.store.lookupBatch(sample.device.group, Buffer.from(lacking.join(""), "hex"));
      expect(
        present.every((row) => row === undefined),
        "agents are asked for it",
      ).toBe(true);
    }
  });
  const again = await repair(path, false);
  expect(again.reasons, "nothing is left to repair").toEqual([]);
  expect(idsOf(again)).toEqual(idsOf(repaired));
  rmSync(path, { recursive: true });
}

test("random damage", { timeout: 600_000 }, async () => {
  const numRuns = Number(process.env.HOLDFAST_RUNS ?? 4);
  await fc.assert(fc.asyncProperty(damages, examine), { numRuns });
});

test("a sound vault: nothing is found, and the index stays", async () => {
  const path = sample.copy();
  expect(await repair(path, false)).toMatchObject({
    found: [],
    reasons: [],
    rebuilt: null,
    hurt: [],
    snapshots: 3,
  });
  expect(readdirSync(sample.directoryOf(path))).not.toContain("damaged");
});

test("damaged bytes are moved aside, not deleted", async () => {
  const path = sample.copy();
  const directory = sample.directoryOf(path);
  const [pack] = namedFiles(directory, "packs");
  inflict(directory, {
    kind: "flip",
    file: [...files.keys()].indexOf(below(directory, pack!.path)),
    at: 0.5,
    mask: 1,
  });
  const damaged = readFileSync(pack!.path);
  await repair(path, false);
  expect(readFileSync(join(directory, "damaged", basename(pack!.path)))).toEqual(damaged);
});

test("a copy that a reader found wrong never comes back as a good one, whatever pack it was in", async () => {
  const path = sample.copy();
  const directory = sample.directoryOf(path);
  const [closed, open] = [namedFiles(directory, "packs")[0]!.path, openPackFiles(directory)[0]!.path];
  const [first, second] = await wholeRecords(closed, undefined);
  const wrong = [first!, (await wholeRecords(open, undefined))[0]!].map(({ row }) => row.id);
  // Another record of the same pack is damaged, so that what is whole is taken out of it.
  const bytes = readFileSync(closed);
  bytes[second!.row.offset + 80]! ^= 1;
  writeFileSync(closed, bytes);
  const { group } = sample.device;
  await withGateway(path, async (gateway) => {
    const vault = await gateway.vault(sample.device.vault);
    expect(await vault.quarantine(group, wrong, sample.device.id)).toMatchObject({ quarantined: 2 });
  });
  const expectAbsent = (): Promise<void> =>
    withGateway(path, async (gateway) => {
      const { store } = await gateway.vault(sample.device.vault);
      for (const id of wrong) expect(store.lookup(group, id)).toBeUndefined();
    });
  const { hurt } = await repair(path, false);
  expect(hurt.length).toBeGreaterThan(0);
  await expectAbsent();
  await withGateway(
    path,
    async (_gateway, upkeep) => void (await upkeep.rebuildIndex({ vault: undefined }, silent)),
  );
  await expectAbsent();
});

test("an index that lost rows is made anew from the packs", async () => {
  const path = sample.copy();
  await withGateway(path, async (gateway) => {
    const { store } = await gateway.vault(sample.device.vault);
    const { group } = sample.device;
    await store.flush(() => undefined);
    for (const id of [...sample.snapshots[1]!.records.keys()].slice(4, 9)) {
      const key = Buffer.from(id, "hex");
      store.index.remove(group, key, store.index.lookup(group, key)!);
    }
  });
  expect(await repair(path, false)).toMatchObject({
    reasons: ["the index contradicts the packs"],
    hurt: [],
    found: [],
  });
  await withGateway(path, async (gateway) => {
    const vault = await gateway.vault(sample.device.vault);
    for (const snapshot of sample.snapshots) expect(await sample.lacking(vault, snapshot)).toEqual([]);
  });
});
