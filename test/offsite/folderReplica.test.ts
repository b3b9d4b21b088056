// A replica on small disks of its own: without hard links, full, and taken away.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sourceOf } from "../../gateway/replica/chain/namedObjects.ts";
import { FolderStore } from "../../gateway/replica/folder/folderStore.ts";
import { hasHardLinks } from "../../gateway/replica/folder/hardLinks.ts";
import { markFolder } from "../../gateway/replica/folder/marker.ts";
import { packKey } from "../../gateway/replica/keys.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { testReplicaStore } from "../conformance/replicaStore.ts";
import { createExfatDisk, createTmpfs, type Disk } from "../faults/loopDisk.ts";
import { canRun } from "../faults/requirements.ts";
import { tearDownAll } from "../faults/tearDown.ts";
import { seededBytes } from "../vault/seeded.ts";

const MiB = 1 << 20;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "holdfast-folder-"));
});
afterAll(async () => {
  tearDownAll();
  await rm(scratch, { recursive: true });
});

function open(folder: string, conditionalPuts: boolean): Promise<FolderStore> {
  return FolderStore.open(folder, pathToFileURL(folder).href, conditionalPuts);
}

if (canRun("a replica on exFAT", "losetup", "mkfs.exfat", "mount.exfat-fuse")) {
  testReplicaStore({
    name: "a folder on exFAT",
    conditionalPuts: false,
    resumes: false,
    boundaries: [],
    async open() {
      const disk = createExfatDisk(scratch, "exfat", 512);
      await markFolder(disk.folder);
      const reopen = () => open(disk.folder, false);
      const store = await reopen();
      expect(await hasHardLinks(disk.folder)).toBe(false);
      return { store, reopen, remove: async () => disk.unmount() };
    },
  });
}

describe.runIf(canRun("a replica on a full disk", "mount"))("a replica on a disk of 16 MiB", () => {
  let disk: Disk;
  const packs = Array.from({ length: 12 }, (_, i) => sourceOf(seededBytes(`pack ${i}`, 3 * MiB)));
  const keyOf = (source: { readonly sha256: Uint8Array }) => packKey("5e".repeat(16), source.sha256);

  test("says that it is full, keeps what it acknowledged, and goes on when there is room", async () => {
    disk = createTmpfs(join(scratch, "small"), 16);
    await markFolder(disk.folder);
    const store = await open(disk.folder, true);
    expect(await hasHardLinks(disk.folder)).toBe(true);
    const outcomes = await Promise.allSettled(
      packs.map((source) => store.putIfAbsent(keyOf(source), source)),
    );
    const refused = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const reason of refused) expect(reason).toMatchObject({ code: ErrorCode.replicaFull });
    for (const [i, { status }] of outcomes.entries()) {
      const source = packs[i]!;
      if (status === "rejected") expect(await store.head(keyOf(source))).toBeUndefined();
      else
        expect(
          (await store.getRange(keyOf(source), 0, source.bytes)).equals(await source.read(0, source.bytes)),
        ).toBe(true);
    }
    for (const source of packs) await store.delete(keyOf(source));
    for (const source of packs.slice(0, 4)) {
      expect(await store.putIfAbsent(keyOf(source), source)).toMatchObject({ outcome: "created" });
    }
  });

  test("is unreachable once it is unmounted, and nothing goes into the mount point", async () => {
    const store = await open(disk.folder, true);
    disk.unmount();
    const unreachable = { code: ErrorCode.replicaUnreachable };
    await expect(store.putIfAbsent(keyOf(packs[8]!), packs[8]!)).rejects.toMatchObject(unreachable);
    await expect(store.getRange(keyOf(packs[0]!), 0, 1)).rejects.toMatchObject(unreachable);
    await expect(open(disk.folder, true)).rejects.toMatchObject(unreachable);
  });
});
