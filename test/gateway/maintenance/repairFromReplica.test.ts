// A vault of which nothing is left on the disk, repaired from a replica that replication filled.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { namedFiles } from "../../../gateway/maintenance/rebuild/packFile.ts";
import { toHex } from "../../../vault/bytes.ts";
import { addReplicaFolder } from "../cache/replicaFolder.ts";
import { repair, SampleVault, withGateway } from "./sampleVault.ts";

test("with a replica everything comes back: packs, snapshots, documents, the index, and names", async () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-repair-"));
  const own = await SampleVault.create(async ({ gateway }) => {
    const replica = await addReplicaFolder(gateway.catalog, join(scratch, "replica"), "offsite");
    const [report] = await gateway.replication.run({ replica: replica.id });
    expect(report).toMatchObject({ outcome: "done", snapshots: 3 });
  });
  try {
    const path = own.copy();
    const directory = own.directoryOf(path);
    const before = namedFiles(directory, "packs").map(({ name }) => toHex(name));
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
    const planned = await repair(path, true);
    expect(readdirSync(directory)).toEqual([]);
    const repaired = await repair(path, false);
    expect(planned.hurt).toEqual([]);
    expect(repaired).toMatchObject({ hurt: [], snapshots: 3, away: [], reasons: ["the index is gone"] });
    expect(repaired.found.every(({ from }) => from !== null)).toBe(true);
    expect(
      namedFiles(directory, "packs")
        .map(({ name }) => toHex(name))
        .sort(),
    ).toEqual(before.sort());
    await withGateway(path, async (gateway) => {
      const vault = await gateway.vault(own.device.vault);
      expect(vault.catalog.items()).toMatchObject([{ name: "files", sequence: 3 }]);
      for (const snapshot of own.snapshots) expect(await own.lacking(vault, snapshot)).toEqual([]);
    });
    expect(await repair(path, false)).toMatchObject({ found: [], reasons: [], rebuilt: null });
  } finally {
    own.remove();
    rmSync(scratch, { recursive: true, force: true });
  }
});
