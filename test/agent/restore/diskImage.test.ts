// A disk image, from its first backup over edits in place to what is restored of it.

import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { restore } from "../../../agent/restore/restore.ts";
import { ContentReader, type PlacedExtent } from "../../../fs/view/contentReader.ts";
import { createCaches, RecordOpener } from "../../../fs/view/recordOpener.ts";
import { TreeReader } from "../../../fs/view/treeReader.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { backupFixture, noise } from "../backup/backupFixture.ts";
import { testKeys } from "../backup/memoryGateway.ts";
import { temporaryFolder } from "./restoring.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const chunkBytes = 128 * KiB;
const imageBytes = 20 * MiB + 5000;

const fx = backupFixture();
const auto = { chunker: "auto-1" } as const;
const later = { aheadMs: 60_000 };

function write(path: string, at: number, bytes: Buffer): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

/** Six MiB of noise, one of zeros that are written, a hole from 7 to 16 MiB, data to the end. */
function makeImage(name: string): string {
  const path = join(fx.source, name);
  const file = openSync(path, "wx");
  ftruncateSync(file, imageBytes);
  closeSync(file);
  write(path, 0, noise(6 * MiB, 1));
  write(path, 6 * MiB, Buffer.alloc(MiB));
  write(path, 16 * MiB, noise(imageBytes - 16 * MiB, 2));
  return path;
}

/** The extents of a file in the newest snapshot. */
async function extentsOf(name: string): Promise<PlacedExtent[]> {
  const { header } = openSnapshot(testKeys, fx.gateway.snapshots.get(fx.gateway.head as string) as Buffer);
  const caches = createCaches();
  const opener = new RecordOpener({ source: fx.gateway.source, keys: testKeys, group: 0, caches });
  const tree = new TreeReader(opener);
  let page = header.root;
  for (const step of fx.source.split("/").filter((each) => each !== "")) {
    const folder = await tree.lookup(page, Buffer.from(step));
    page = Buffer.from(folder?.child?.id as Uint8Array);
  }
  const entry = await tree.lookup(page, Buffer.from(name));
  const extents: PlacedExtent[] = [];
  const content = new ContentReader(opener);
  for await (const extent of content.extents(entry?.content, entry?.size ?? 0)) extents.push(extent);
  return extents;
}

describe("a disk image", () => {
  test("is cut at multiples of 128 KiB, another file of the same bytes is not", async () => {
    const path = makeImage("disk.img");
    await fx.run(auto);
    const image = await extentsOf("disk.img");
    for (const { hole, start, length } of image) {
      if (hole) expect([start, length]).toEqual([7 * MiB, 9 * MiB]);
      else expect([start % chunkBytes, length]).toEqual([0, Math.min(chunkBytes, imageBytes - start)]);
    }
    expect(image).toHaveLength(7 * 8 + 1 + Math.ceil((imageBytes - 16 * MiB) / chunkBytes));
    // Zeros that are no hole are one chunk, stored once.
    const zeros = image.slice(6 * 8, 7 * 8).map((extent) => (extent.hole ? "" : extent.id.toString("hex")));
    expect(new Set(zeros).size).toBe(1);

    renameSync(path, join(fx.source, "disk.bin"));
    await fx.run(auto);
    expect((await extentsOf("disk.bin")).some(({ hole, length }) => !hole && length > 2 * chunkBytes)).toBe(
      true,
    );
  });

  test("that was edited in place sends the chunks that changed, and keeps its extents while it is unchanged", async () => {
    const path = makeImage("disk.img");
    await fx.run(auto, later);
    const first = await extentsOf("disk.img");
    // Not the root: the folders above are in it, and others make files there.
    await fx.run({ chunker: "fastcdc-1" }, later);
    expect(await extentsOf("disk.img")).toEqual(first);
    write(path, MiB + 4096, noise(4096, 3));
    write(path, 18 * MiB - 512, noise(1024, 4));
    const before = await extentsOf("disk.img");
    const second = await fx.run(auto, later);
    expect(second.sentBytes).toBeLessThan(3 * chunkBytes + 32 * KiB);
    const after = await extentsOf("disk.img");
    const changed = after.filter((extent, index) => !sameChunk(extent, before[index] as PlacedExtent));
    expect(changed.map(({ start }) => start)).toEqual([MiB, 18 * MiB - chunkBytes, 18 * MiB]);
  });

  test("comes back byte for byte with its hole, also over an older version of it", async () => {
    const path = makeImage("disk.img");
    await fx.run(auto, later);
    const target = temporaryFolder();
    mkdirSync(join(target, "there"));
    const run = async () => {
      const notes: string[] = [];
      const result = await restore({
        source: fx.gateway.source,
        keys: testKeys,
        snapshot: openSnapshot(testKeys, fx.gateway.snapshots.get(fx.gateway.head as string) as Buffer),
        path: fx.source
          .split("/")
          .filter((each) => each !== "")
          .map((each) => Buffer.from(each)),
        target: Buffer.from(join(target, "there")),
        overwrite: "always",
        dryRun: false,
        delete: false,
        ownerByName: false,
        threads: 2,
        onNote: ({ message }) => notes.push(message),
      });
      expect(notes).toEqual([]);
      const restored = join(target, "there", "disk.img");
      expect(readFileSync(restored).equals(readFileSync(path))).toBe(true);
      expect(statSync(restored).blocks * 512).toBeLessThanOrEqual(imageBytes - 8 * MiB);
      return result;
    };
    await run();
    write(path, 3 * MiB, noise(1000, 5));
    await fx.run(auto, later);
    expect((await run()).fetchedRecords).toBe(1);
  });
});

function sameChunk(one: PlacedExtent, other: PlacedExtent): boolean {
  return one.hole || other.hole ? one.hole === other.hole : one.id.equals(other.id);
}
