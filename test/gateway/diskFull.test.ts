// A full disk: on a real small file system (tmpfs, which needs root).

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { VaultStore } from "../../gateway/store/vaultStore.ts";
import { openStore, type PlainRecord, plainRecord, readOne } from "./vaultStoreFixture.ts";

/** vitest's own comparison of large buffers takes seconds. */
async function isStored(store: VaultStore, each: PlainRecord): Promise<boolean> {
  const found = await readOne(store, each.id);
  return Buffer.isBuffer(found) && found.equals(each.record);
}

const isRoot = process.getuid?.() === 0;
let mount: string;

beforeAll(async () => {
  if (!isRoot) {
    if (process.env.CI) throw new Error("the disk-full tests need root to mount a small tmpfs");
    console.warn("SKIPPED: the disk-full tests need root to mount a small tmpfs");
    return;
  }
  mount = await mkdtemp(join(tmpdir(), "holdfast-full-"));
  const ran = spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", mount]);
  if (ran.status !== 0) throw new Error(`mount: ${ran.stderr.toString()}`);
});
afterAll(async () => {
  if (!isRoot) return;
  spawnSync("umount", [mount]);
  await rm(mount, { recursive: true, force: true });
});

test.skipIf(!isRoot)(
  "batches fail with disk-full, nothing acknowledged is lost, and work goes on after room is made",
  async () => {
    const directory = join(mount, "vault");
    mkdirSync(directory);
    const opened = await openStore(directory, { packBytesTarget: 3_000_000 });
    const stored: PlainRecord[] = [];
    const ballast = join(mount, "ballast");
    for (let round = 0; round < 3; round++) {
      writeFileSync(ballast, Buffer.alloc(6_000_000));
      let full = 0;
      for (let i = 0; i < 100 && full < 3; i++) {
        const batch = [plainRecord(400_000), plainRecord(100_000)];
        const page = plainRecord(
          50,
          batch.map((each) => each.id),
        );
        try {
          const answer = await opened.put(...batch, page);
          expect([...answer.statuses]).toEqual([0, 0, 0]);
          stored.push(...batch, page);
        } catch (error) {
          expect(error).toMatchObject({ code: "disk-full" });
          for (const each of [...batch, page]) expect(opened.store.lookup(1, each.id)).toBeUndefined();
          full++;
        }
      }
      expect(full).toBe(3);
      for (const each of stored) expect(await isStored(opened.store, each)).toBe(true);
      rmSync(ballast);
      const small = plainRecord(1000);
      expect([...(await opened.put(small)).statuses]).toEqual([0]);
      stored.push(small);
    }
    await opened.store.close();
    const again = await openStore(directory);
    for (const each of stored) expect(await isStored(again.store, each)).toBe(true);
    await again.store.close();
    rmSync(directory, { recursive: true });
  },
);

test.skipIf(!isRoot)("uploads stop at the reserve, so that the index always has room", async () => {
  const directory = join(mount, "reserve");
  mkdirSync(directory);
  const opened = await openStore(directory, { reserveBytes: 12 * 2 ** 20 });
  let refused: unknown;
  for (let i = 0; i < 100 && refused === undefined; i++) {
    await opened.put(plainRecord(400_000)).catch((error: unknown) => {
      refused = error;
    });
  }
  expect(refused).toMatchObject({ code: "disk-full" });
  // The index can still be written.
  await opened.store.flush(() => undefined);
  await opened.store.close();
});
