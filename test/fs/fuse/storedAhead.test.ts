// Content that a drive gives the kernel before it is asked for: what is in the kernel's page cache is looked at with fincore, which reads none of it.

import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type KernelMounted, kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import type { VaultView } from "../../../fs/view/vaultView.ts";
import { RecordType } from "../../../vault/magic.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec } from "../treeSpec.ts";
import { Ring, viewOf } from "../viewWalk.ts";
import { canMount, freshDirectory, keptLog, tool, until } from "./mounting.ts";

const PAGE = 4096;

describe.skipIf(!canMount())("files in the way of a reader", () => {
  let scratch: string;
  let vault: FixtureVault;
  let ring: Ring;
  let view: VaultView;
  let mounted: KernelMounted;
  let at: string;
  /** Paths of files below `at`, in the order in which they are read, and their content. */
  const files = new Map<string, Buffer>();
  const opened: FileHandle[] = [];

  beforeEach(() => {
    scratch = freshDirectory();
    files.clear();
    vault = new FixtureVault();
    ring = new Ring(vault.keys);
  });
  afterEach(async () => {
    for (const handle of opened.splice(0)) await handle.close();
    await mounted.unmount();
    view.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** A folder of so many files, each of its own length from 1 byte to 5 kB: all of them come before the walk holds one back. */
  function folder(name: string, count: number): NodeSpec {
    const rows: [string, NodeSpec][] = [];
    for (let i = 0; i < count; i++) {
      const bytes = randomBytes(1 + ((i * 3571) % 5_000));
      const row = `f${String(i).padStart(3, "0")}`;
      files.set(`${name}/${row}`, bytes);
      rows.push([row, fileOf(bytes)]);
    }
    return directoryOf(rows);
  }

  async function mount(top: NodeSpec): Promise<void> {
    vault.snapshot(top);
    view = viewOf(vault, ring);
    const mnt = join(scratch, "mnt");
    mkdirSync(mnt);
    mounted = await kernelDriver().mount(view, mnt, { logger: keptLog() });
    at = join(mnt, "anna/laptop/files/latest");
  }

  /** Pages of a file that the kernel has, without asking the drive for any. */
  async function pagesOf(path: string): Promise<number> {
    return Number(await tool('fincore --noheadings --output PAGES "$1"', join(at, path)));
  }

  const whole = (path: string): number => Math.ceil((files.get(path)?.length ?? 0) / PAGE);

  /** Reads the first two files of a folder that was listed, which makes a walk. */
  const begin = (name: string): Promise<Buffer> =>
    tool('cd "$1" && ls -l >/dev/null && cat f000 f001 >/dev/null', join(at, name));

  it("are in the kernel's cache before they are read, whole and right, also in folders that are listed later", async () => {
    await mount(directoryOf({ a: folder("a", 40), b: directoryOf({ c: folder("b/c", 40) }) }));
    await begin("a");
    for (const path of files.keys()) {
      // Nobody has listed the other folder, so the kernel knows no such files yet.
      if (path.startsWith("a/")) await until(path, async () => (await pagesOf(path)) === whole(path));
    }
    await tool('ls -l "$1"/b/c', at);
    for (const path of files.keys()) await until(path, async () => (await pagesOf(path)) === whole(path));
    // None of what follows needs the vault.
    vault.beforeRead = () => Promise.reject(new Error("a request for what is in the kernel"));
    for (const [path, bytes] of files) expect(await tool('cat "$1"', join(at, path)), path).toEqual(bytes);
  });

  it("are left to be read where a chunk is damaged, which then fails alone", async () => {
    await mount(directoryOf({ a: folder("a", 3), b: folder("b", 3), c: folder("c", 3) }));
    const broken = files.get("b/f001") as Buffer;
    const lists = await tool('ls -l "$1"/a "$1"/b "$1"/c', at);
    expect(lists.length).toBeGreaterThan(0);
    const bundle = Buffer.concat(
      [...files].filter(([path]) => path.startsWith("b/")).map(([, bytes]) => bytes),
    );
    const id = vault.put(RecordType.data, bundle).toString("hex");
    expect(bundle.includes(broken)).toBe(true);
    const record = vault.records.get(id) as Buffer;
    record[record.length - 20] = (record.at(-20) as number) ^ 1;
    await begin("a");
    await until("what follows is there", async () => (await pagesOf("c/f002")) === whole("c/f002"));
    expect(await pagesOf("b/f001")).toBe(0);
    await expect(tool('cat "$1"', join(at, "b/f001"))).rejects.toThrow("Input/output error");
    for (const path of ["a/f002", "c/f001"])
      expect(await tool('cat "$1"', join(at, path))).toEqual(files.get(path));
  });

  it("are gone from the kernel when the vault is locked", async () => {
    await mount(directoryOf({ a: folder("a", 40) }));
    await begin("a");
    const last = "a/f039";
    const handle = await open(join(at, last));
    opened.push(handle);
    await until("it is stored", async () => (await pagesOf(last)) === whole(last));
    ring.set(undefined);
    const read = (): Promise<string> =>
      handle.read(Buffer.alloc(10), 0, 10, 0).then(
        () => "read",
        (error: NodeJS.ErrnoException) => error.code ?? "",
      );
    await until("it is refused", async () => (await read()) === "EACCES");
  });
});
