// When programs are told that a large folder has no attributes at all, and that they never are where that would be wrong.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PlainFolders } from "../../../fs/fuse/kernel/plainFolders.ts";
import { kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import type { RowDirectory, RowRun, RowSource } from "../../../fs/view/rows.ts";
import { RowsView } from "../rowsView.ts";
import { canMount, mountPoints, sh, tool, until } from "./mounting.ts";

const label = "security.selinux";
const acl = "system.posix_acl_access";
const shown = { acls: false };
const enforced = { acls: true };
const askedMin = 1000;

const folder = (inodeLow: number, tree: object = shown): RowDirectory => ({
  tree,
  id: Buffer.alloc(32, inodeLow),
  inodeLow,
  inodeHigh: 0,
});

/** Folders of 5,000 rows in runs of 100, of which one row may have attributes. */
function rowsWith(marked: number | undefined): { readonly rows: RowSource; readonly runs: number[] } {
  const runs: number[] = [];
  const run = (_: RowDirectory, row: number): RowRun | undefined => {
    if (row >= 5000) return undefined;
    runs.push(row);
    return { first: row, count: 100, hasXattrs: (at: number) => at === marked } as unknown as RowRun;
  };
  return { rows: { run } as unknown as RowSource, runs };
}

/** Asks about rows of a folder until the answer changes, `times` at most; how often it was asked. */
async function askUntil(plain: PlainFolders, name: string, times: number, uses = shown): Promise<number> {
  for (let asked = 1; asked <= times; asked++) {
    const block = Math.floor(asked / 4096);
    if (plain.unsupported(name, block, () => folder(1), uses)) return asked;
    await new Promise(setImmediate);
  }
  return times + 1;
}

describe("a folder without attributes", () => {
  it("is told of after many questions and a look at every row", async () => {
    const { rows, runs } = rowsWith(undefined);
    let now = 0;
    const plain = new PlainFolders(rows, () => now);
    const asked = await askUntil(plain, label, 5000);
    expect(asked).toBeGreaterThan(askedMin);
    expect(asked).toBeLessThan(5000);
    expect(runs).toEqual(Array.from({ length: 50 }, (_, at) => at * 100));
    expect(plain.unsupported(acl, 0, () => folder(1), shown)).toBe(true);
    // It counts anew for every other folder, and when the first is gone back to; what was seen of it is known.
    expect(plain.unsupported(label, 7, () => folder(2), shown)).toBe(false);
    expect(plain.unsupported(label, 0, () => folder(1), shown)).toBe(false);
    expect(await askUntil(plain, label, 5000)).toBe(askedMin - 1);
    expect(runs).toHaveLength(50);
    // After a pause somebody else asks, who may have other folders in mind.
    now += 1001;
    expect(await askUntil(plain, label, 5000)).toBe(askedMin);
    // The same number in another snapshot is another folder; and nothing is known of any when a vault was locked.
    expect(plain.unsupported(label, 9, () => folder(1, {}), shown)).toBe(false);
    plain.clear();
    expect(await askUntil(plain, label, 5000)).toBeGreaterThan(askedMin);
    expect(runs).toHaveLength(100);
  });

  it("is never told of where the last row has one", async () => {
    const { rows, runs } = rowsWith(4999);
    expect(await askUntil(new PlainFolders(rows, () => 0), label, 3000)).toBe(3001);
    expect(runs).toHaveLength(50);
  });

  it("is never told of by an ACL that the kernel needs, by other names, or where it cannot be read", async () => {
    const { rows, runs } = rowsWith(undefined);
    const plain = new PlainFolders(rows, () => 0);
    expect(await askUntil(plain, acl, 2000, enforced)).toBe(2001);
    expect(await askUntil(plain, "user.note", 2000)).toBe(2001);
    expect(runs).toEqual([]);
    const run = (): Promise<RowRun> => Promise.reject(new Error("damaged"));
    const broken = new PlainFolders({ run } as unknown as RowSource, () => 0);
    expect(await askUntil(broken, label, 2000)).toBe(2001);
  });
});

describe.skipIf(!canMount())("ls of a large folder without attributes", () => {
  const here = mountPoints();

  /** Which errors getfattr gets for these many files, each once: it does not stop asking. */
  async function errors(folderPath: string): Promise<string[]> {
    const ran = await sh(`getfattr -n ${label} "$1"/* 2>&1 >/dev/null | sed 's/.*: //' | uniq`, folderPath);
    return ran.stdout.toString().trim().split("\n");
  }

  it("gets all entries, and is told at last", async () => {
    await here.mount(kernelDriver(), new RowsView(0, 6000));
    expect((await errors(join(here.mnt, "top")))[0]).toBe("No such attribute");
    await until("getfattr is told", async () =>
      (await errors(join(here.mnt, "top"))).includes("Operation not supported"),
    );
    expect((await tool(`ls -l "$1/top" | wc -l`, here.mnt)).toString().trim()).toBe("6001");
  });

  it("is not told in small folders", async () => {
    await here.mount(kernelDriver(), new RowsView(20, 100));
    for (let at = 0; at < 20; at++) {
      const name = `entry-${String(at).padStart(8, "0")}`;
      expect(await errors(join(here.mnt, "top", name))).toEqual(["No such attribute"]);
    }
  });
});
