// Very many entries through a real mount: all of them are there, and what the drive keeps of them is next to nothing.
// HOLDFAST_MANY_ENTRIES=5000000 makes the walk as long as the goal says.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import { RowsView } from "../rowsView.ts";
import { canMount, mountPoints, tool, until } from "./mounting.ts";

const MiB = 1024 * 1024;
const entries = Number(process.env.HOLDFAST_MANY_ENTRIES ?? 200_000);
const filesPerFolder = 100;

/** Bytes that live objects and buffers take. */
function memoryInUse(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe.skipIf(!canMount())("a drive of very many entries", () => {
  const here = mountPoints();

  it("lists a directory of 1,000,000 entries, each once and in order", { timeout: 120_000 }, async () => {
    await here.mount(kernelDriver(), new RowsView(0, 1_000_000));
    // `ls -f` shows the order of the drive; without the dots.
    const check = `ls -f "$1/top" | awk 'NR > 2 { if ($0 != sprintf("entry-%08d", n)) bad++; n++ } END { print n, bad + 0 }'`;
    expect((await tool(check, here.mnt)).toString().trim()).toBe("1000000 0");
    expect((await tool(`stat -c %i "$1/top/entry-00999999"`, here.mnt)).toString().trim()).toBe(
      String(2 ** 32 + 999_999),
    );
  });

  it("keeps nothing per entry after a find, and nothing at all once the kernel forgets", {
    timeout: 600_000,
  }, async () => {
    const folders = Math.ceil(entries / filesPerFolder);
    const view = new RowsView(folders, filesPerFolder);
    const drive = await here.mount(kernelDriver(), view);
    await tool(`stat "$1/top/entry-00000000/entry-00000000"`, here.mnt);
    const before = memoryInUse();
    const found = await tool(`find "$1/top" -type f -size 0 | wc -l`, here.mnt);
    const all = folders * filesPerFolder;
    expect(Number(found)).toBe(all);
    const grown = memoryInUse() - before;
    console.log(`${all} entries, ${drive.nodeCount()} lookups held: ${Math.round(grown / 1024)} KiB`);
    // 100 bytes a folder, and 8 MiB for what a warm process has anyway. An object per entry would be 200 bytes or more of each.
    expect(grown).toBeLessThan(8 * MiB + folders * 200);
    view.namesChanged(view.root);
    const looks = 3000 + entries / 500;
    await until("the kernel let go of everything", () => drive.nodeCount() <= 2, looks);
  });
});
