// A check without keys: what is sound is said to be so, and each kind of damage is found, also while the gateway runs.

import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CheckedVault } from "../../../gateway/admin/upkeepOperations.ts";
import { Administration } from "../../../gateway/administration.ts";
import type { Gateway } from "../../../gateway/gateway.ts";
import { namedFiles } from "../../../gateway/maintenance/rebuild/packFile.ts";
import { wholeRecords } from "../../../gateway/maintenance/rebuild/salvage.ts";
import { toHex } from "../../../vault/bytes.ts";
import { RecordType } from "../../../vault/magic.ts";
import { SampleVault, silent, withGateway } from "./sampleVault.ts";

let sample: SampleVault;
let path: string;

beforeAll(async () => {
  sample = await SampleVault.create();
});
afterAll(() => sample.remove());

async function check(gateway: Gateway, readShare = 0): Promise<CheckedVault> {
  const { vaults } = await new Administration(gateway).check({ readShare, limit: "" }, silent);
  return vaults[0]!;
}

/** Files of packs of the vault in `path`, and which records each has. */
async function packs() {
  const files = namedFiles(sample.directoryOf(path), "packs");
  return Promise.all(
    files.map(async (file) => {
      const rows = (await wholeRecords(file.path, undefined)).map(({ row }) => row);
      return { ...file, rows, isData: rows[0]?.type === RecordType.data };
    }),
  );
}

test("a sound vault", async () => {
  path = sample.copy();
  const checked = await withGateway(path, (gateway) => check(gateway));
  expect(checked).toMatchObject({ problems: [], hurt: [], strays: [], snapshots: 3, needed: 0, evicted: 0 });
  expect(checked.records).toBe(new Set(sample.snapshots.flatMap(({ records }) => [...records.keys()])).size);
});

test("damage inside a data pack is found by reading it, and costs the snapshots that reach it", async () => {
  path = sample.copy();
  const pack = (await packs()).find(({ isData }) => isData)!;
  const row = pack.rows[1]!;
  const bytes = readFileSync(pack.path);
  bytes[row.offset + 100]! ^= 1;
  writeFileSync(pack.path, bytes);
  await withGateway(path, async (gateway) => {
    expect(await check(gateway)).toMatchObject({ problems: [], hurt: [] });
    const checked = await check(gateway, 1);
    expect(checked.problems).toMatchObject([{ kind: "pack", name: toHex(pack.name), records: 1 }]);
    const id = toHex(row.id);
    const reached = sample.snapshots.filter(({ records }) => records.has(id)).map((snapshot) => snapshot.id);
    expect(checked.hurt.map((snapshot) => snapshot.id).sort()).toEqual(reached.sort());
    for (const { lacking, ids } of checked.hurt) expect([lacking, ids]).toEqual([1, [id.slice(0, 32)]]);
    expect(checked.files, "the vault is locked").toBeNull();
  });
});

test("a missing pack, a short one and a lost snapshot object are found without reading content", async () => {
  path = sample.copy();
  const [missing, short] = (await packs()).filter(({ isData }) => isData);
  rmSync(missing!.path);
  truncateSync(short!.path, short!.bytes - 10);
  const [snapshot] = sample.snapshots;
  rmSync(`${sample.directoryOf(path)}/snapshots/${snapshot!.id}`);
  await withGateway(path, async (gateway) => {
    const { problems, hurt } = await check(gateway);
    expect(problems.map(({ kind, name }) => [kind, name]).sort()).toEqual(
      [
        ["pack", toHex(missing!.name)],
        ["pack", toHex(short!.name)],
        ["snapshot", snapshot!.id],
      ].sort(),
    );
    const gone = new Set(missing!.rows.map(({ id }) => toHex(id)));
    const reached = sample.snapshots.filter(({ records }) => [...records.keys()].some((id) => gone.has(id)));
    expect(hurt.map(({ id }) => id).sort()).toEqual(reached.map(({ id }) => id).sort());
  });
});

test("an index that contradicts the packs: a row with another place, one that is gone, other references", async () => {
  path = sample.copy();
  await withGateway(path, async (gateway) => {
    const { store } = await gateway.vault(sample.device.vault);
    const { group } = sample.device;
    const root = Buffer.from([...sample.snapshots[2]!.records.keys()].at(-4)!, "hex");
    const [moved, lost] = [...sample.snapshots[2]!.records.keys()]
      .slice(0, 2)
      .map((id) => Buffer.from(id, "hex"));
    await store.flush(() => undefined);
    store.environment.write(() => {
      const row = store.index.lookup(group, moved!)!;
      store.index.update(group, moved!, row, { offset: row.offset + 8 });
      store.index.remove(group, lost!, store.index.lookup(group, lost!)!);
      const page = store.index.lookup(group, root)!;
      store.index.remove(group, root, page);
      store.index.insertBatch([{ group, id: root, row: page, refs: [page.ordinal] }]);
    });
    const { problems, hurt } = await check(gateway);
    expect(problems.every(({ kind }) => kind === "index")).toBe(true);
    expect(problems.length).toBeGreaterThanOrEqual(3);
    expect(hurt.map(({ id }) => id)).toContain(sample.snapshots[2]!.id);
  });
});
