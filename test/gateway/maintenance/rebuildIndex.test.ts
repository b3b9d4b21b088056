// An index made anew from packs alone: the same records, snapshots and items, whatever became of the database.

import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RebuiltVault } from "../../../gateway/maintenance/rebuild/rebuildVault.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { SampleVault, silent, withGateway } from "./sampleVault.ts";

let sample: SampleVault;
/** What the vault's own tables said. */
let before: Awaited<ReturnType<typeof tablesOf>>;

beforeAll(async () => {
  sample = await SampleVault.create(async (fixture, { device }) => {
    const vault = await fixture.gateway.vault(device.vault);
    const [newest, middle] = vault.catalog.snapshots();
    vault.store.environment.write(() => {
      vault.catalog.retention.setMarks(newest!.id, {
        pin: { reason: "kept", at: newest!.received },
        tags: ["x"],
      });
      const row = { at: newest!.received, until: newest!.received, by: "policy", reason: "test" } as const;
      vault.catalog.retention.putInTrash(middle!.id, row);
    });
  });
  before = await withGateway(sample.copy(), async (gateway) =>
    tablesOf(await gateway.vault(sample.device.vault)),
  );
});
afterAll(() => sample.remove());

function tablesOf({ catalog, store }: OpenVault) {
  return {
    snapshots: catalog.allSnapshots(),
    items: catalog.items(),
    retention: catalog.retention.rows(),
    records: store.index.count() + store.overlay.size,
  };
}

async function rebuild(path: string): Promise<RebuiltVault> {
  return withGateway(path, async (_gateway, upkeep) => {
    const { vaults } = await upkeep.rebuildIndex({ vault: undefined }, silent);
    return vaults[0]!;
  });
}

const indexOf = (path: string): string => join(sample.directoryOf(path), "index", "data.mdb");

async function expectWhole(path: string, alike: Partial<typeof before> = before): Promise<void> {
  await withGateway(path, async (gateway) => {
    const vault = await gateway.vault(sample.device.vault);
    await vault.waits.settle();
    expect(tablesOf(vault)).toMatchObject(alike);
    for (const snapshot of sample.snapshots) {
      expect(await sample.lacking(vault, snapshot)).toEqual([]);
      expect(vault.pendingBoxes(snapshot.id)).toBeUndefined();
    }
    expect(vault.needs.unmet().size).toBe(0);
  });
}

test("the index of a sound vault is rebuilt: all rows are as before, and the old one is aside", async () => {
  const path = sample.copy();
  const rebuilt = await rebuild(path);
  expect(rebuilt).toMatchObject({ snapshots: 3, hurt: [], damage: [], leftOut: [], rows: "database" });
  expect(existsSync(rebuilt.oldIndex!)).toBe(true);
  expect(readdirSync(join(sample.directoryOf(path), "open"))).toEqual([]);
  await expectWhole(path);
});

test("a database that is gone: names and retention come from the copy beside it", async () => {
  const path = sample.copy();
  rmSync(join(sample.directoryOf(path), "index"), { recursive: true });
  const refused = withGateway(path, (gateway) => gateway.vault(sample.device.vault));
  await expect(refused).rejects.toMatchObject({
    code: "data-dir-invalid",
    next: expect.stringContaining("rebuild-index"),
  });
  expect(await rebuild(path)).toMatchObject({ snapshots: 3, hurt: [], rows: "copy" });
  const { records, items, retention } = before;
  await expectWhole(path, { records, items, retention });
});

test("without the copy too, everything but names and retention is there", async () => {
  const path = sample.copy();
  rmSync(join(sample.directoryOf(path), "index"), { recursive: true });
  rmSync(join(sample.directoryOf(path), "catalog.sealed"));
  expect(await rebuild(path)).toMatchObject({ snapshots: 3, rows: "none" });
  const items = before.items.map((item) => ({ ...item, name: `item-${item.id}` }));
  await expectWhole(path, { records: before.records, items });
});

test.each([
  ["zeros", (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
  ["another program's bytes", (file: string) => writeFileSync(file, Buffer.alloc(100_000, "no database "))],
  ["half of it", (file: string) => truncate(file, 8192)],
  ["a zeroed page", (file: string) => overwrite(file, 4096 * 3, Buffer.alloc(4096))],
  ["an empty file", (file: string) => truncate(file, 0)],
])("a database damaged by %s", async (_what, damage) => {
  const path = sample.copy();
  damage(indexOf(path));
  expect(await rebuild(path)).toMatchObject({ snapshots: 3, hurt: [] });
  const { records, items } = before;
  await expectWhole(path, { records, items });
});

test("what a stop leaves behind is in nobody's way", async () => {
  const path = sample.copy();
  const directory = sample.directoryOf(path);
  mkdirSync(join(directory, "index.building"));
  writeFileSync(join(directory, "index.building", "data.mdb"), "half of a database");
  writeFileSync(join(directory, "salvage.tmp"), "half of a pack");
  const signal = AbortSignal.abort();
  const stopped = withGateway(path, (_gateway, upkeep) =>
    upkeep.rebuildIndex({ vault: undefined }, { onProgress: () => undefined, signal }),
  );
  await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
  await expectWhole(path);
  await rebuild(path);
  expect(existsSync(join(directory, "index.building"))).toBe(false);
  expect(existsSync(join(directory, "salvage.tmp"))).toBe(false);
  await expectWhole(path);
});

test("killed at any pack, the old index counts, and the next run ends what was begun", async () => {
  const path = sample.copy();
  for (const at of [2, 9]) {
    const args = [join(import.meta.dirname, "rebuildingProgram.ts"), path, String(at)];
    expect(spawnSync(process.execPath, args, { stdio: "ignore" }).signal).toBe("SIGKILL");
    await expectWhole(path);
  }
  await rebuild(path);
  await expectWhole(path);
});

test("a lost catalog is said, and not taken for a gateway that knows nobody", async () => {
  const path = sample.copy();
  rmSync(join(path, "catalog"), { recursive: true });
  const opened = withGateway(path, async () => undefined);
  await expect(opened).rejects.toMatchObject({
    code: "data-dir-invalid",
    next: expect.stringContaining("restore-from"),
  });
  expect(existsSync(join(path, "catalog"))).toBe(false);
});

function truncate(file: string, bytes: number): void {
  const fd = openSync(file, "r+");
  ftruncateSync(fd, bytes);
  closeSync(fd);
}

function overwrite(file: string, at: number, bytes: Buffer): void {
  const size = readFileSync(file).length;
  const fd = openSync(file, "r+");
  writeSync(fd, bytes, 0, Math.min(bytes.length, size - at), at);
  closeSync(fd);
}
