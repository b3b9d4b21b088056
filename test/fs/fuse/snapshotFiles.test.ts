// Files of snapshots at their limits, in a mounted drive.

import { mkdirSync, rmSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KernelMounted, kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import type { VaultView } from "../../../fs/view/vaultView.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../treeSpec.ts";
import { viewOf } from "../viewWalk.ts";
import { canMount, freshDirectory, keptLog, tool } from "./mounting.ts";

const TiB = 2 ** 40;
const piece = Buffer.alloc(8192, "data in the far end ");
const huge = [piece, 5 * TiB, piece, 5 * TiB - 3 * piece.length, piece];
const size = 10 * TiB;
const here = Buffer.alloc(2 ** 20, "here already ");
const onBox = Buffer.alloc(2 ** 20, "on its way ");

describe.skipIf(!canMount())("in a drive over a snapshot", () => {
  let scratch: string;
  let mounted: KernelMounted;
  let view: VaultView;
  let at: string;
  const vault = new FixtureVault();

  beforeAll(async () => {
    const linked = { inode: 77n, linkCount: 2 };
    vault.snapshot(
      directoryOf({
        "10 TB": sparseOf(huge),
        before: fileOf("the content at first", linked),
        after: fileOf("what it was when the other name was read", linked),
        one: fileOf("the same", { inode: 78n, linkCount: 2 }),
        two: fileOf("the same", { inode: 78n, linkCount: 2 }),
        "zz partly": sparseOf([here, onBox]),
      }),
    );
    view = viewOf(vault);
    scratch = freshDirectory();
    mkdirSync(join(scratch, "mnt"));
    mounted = await kernelDriver().mount(view, join(scratch, "mnt"), { logger: keptLog() });
    at = join(mounted.mountpoint, "anna/laptop/files/latest");
  });
  afterAll(async () => {
    await mounted?.unmount();
    view?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  it("what is on its way with a box is an I/O error, the rest is read, and so is it when it came", async () => {
    const id = vault.put(1, onBox).toString("hex");
    vault.promised.set(id, 4);
    const file = await open(join(at, "zz partly"), "r");
    const into = Buffer.alloc(1000);
    try {
      await file.read(into, 0, 1000, 0);
      expect(into.equals(here.subarray(0, 1000))).toBe(true);
      const behind = 2 ** 20 + 500_000;
      await expect(file.read(into, 0, 1000, behind)).rejects.toMatchObject({ code: "EIO" });
      vault.promised.clear();
      await file.read(into, 0, 1000, behind);
      expect(into.equals(onBox.subarray(500_000, 501_000))).toBe(true);
    } finally {
      await file.close();
    }
  });

  it("names of one inode that were read in two states keep apart, others share it", async () => {
    const list = await tool(
      `cd "$1" && ls -l >/dev/null && cat before after before && tail -c 3 before && stat -c %i *`,
      at,
    );
    const [text, ...numbers] = list.toString().split(/(?<=rst)(?=\d)|\n/);
    expect(text).toBe("the content at firstwhat it was when the other name was readthe content at firstrst");
    const [, after, before, one, two] = numbers;
    expect(after).not.toBe(before);
    expect(one).toBe(two);
  });

  it("10 TB are a file like others: its far end is read, its holes are found, in few steps", async () => {
    const path = join(at, "10 TB");
    const stats = await stat(path);
    expect([stats.size, stats.blocks * 512]).toEqual([size, 3 * piece.length]);
    const file = await open(path);
    const read = async (offset: number): Promise<Buffer> => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(8192), 0, 8192, offset);
      return buffer.subarray(0, bytesRead);
    };
    expect(await read(size - 8192)).toEqual(piece);
    expect(await read(5 * TiB + 8192)).toEqual(piece);
    expect((await read(3 * TiB)).equals(Buffer.alloc(8192))).toBe(true);
    expect((await read(size - 10)).length).toBe(10);
    expect((await read(size)).length).toBe(0);
    await file.close();
    const before = vault.reads.length;
    const map = (await tool(`xfs_io -r -c "seek -a -r 0" "$1"`, path)).toString();
    expect(map.match(/\d+/g)?.map(Number)).toEqual([
      0,
      8192,
      5 * TiB + 8192,
      5 * TiB + 16_384,
      size - 8192,
      size,
    ]);
    expect(vault.reads.length - before).toBeLessThan(10);
  });
});
