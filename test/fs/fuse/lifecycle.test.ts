// Mounting, failing, changing and going away.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { detach } from "../../../fs/fuse/kernel/mountHelper.ts";
import { type KernelMounted, kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import { mountAt } from "../../../fs/fuse/mountTable.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { directory, file, MemoryView, sparseFile, syntheticByte } from "../memoryView.ts";
import { canMount, freshDirectory, keptLog, sh, tool, until } from "./mounting.ts";

const daemonFile = fileURLToPath(new URL("./mountDaemon.ts", import.meta.url));
let scratch: string;
let mnt: string;
let log: ReturnType<typeof keptLog>;
const open: KernelMounted[] = [];
const children: ChildProcess[] = [];

async function mount(view: MemoryView): Promise<KernelMounted> {
  const mounted = await kernelDriver().mount(view, mnt, { logger: log });
  open.push(mounted);
  return mounted;
}

function start(...command: readonly [string, ...string[]]): ChildProcess {
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

describe.skipIf(!canMount())("the kernel driver", () => {
  beforeEach(() => {
    scratch = freshDirectory();
    mnt = join(scratch, "mnt");
    mkdirSync(mnt);
    log = keptLog();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    for (const mounted of open.splice(0)) await mounted.unmount();
    if ((await mountAt(mnt)) !== undefined) await detach(mnt, true);
    rmSync(scratch, { recursive: true, force: true });
  });

  it("serves 64 readers at once", async () => {
    const piece = 256 * 1024;
    const view = new MemoryView(
      directory([["f", sparseFile(16n << 20n, [{ offset: 0n, length: 16n << 20n }])]]),
    );
    // Holds the first reads until many are there, so that they really overlap.
    const { promise: many, resolve } = Promise.withResolvers<void>();
    view.beforeRead = () => {
      if (view.counts.readsNow >= 16) resolve();
      return many;
    };
    await mount(view);
    const pieces = await Promise.all(
      Array.from({ length: 64 }, (_, i) =>
        tool(`dd if="$1" bs=${piece} skip=${i} count=1 iflag=fullblock status=none`, join(mnt, "f")),
      ),
    );
    for (const [i, bytes] of pieces.entries()) {
      const expected = Buffer.from(Array.from({ length: piece }, (_, at) => syntheticByte(i * piece + at)));
      expect(bytes.equals(expected)).toBe(true);
    }
    expect(view.counts.readsMost).toBeGreaterThanOrEqual(16);
    expect(view.counts.readsMost).toBeLessThanOrEqual(64);
  });

  it("answers damage with EIO for that range alone, and a locked vault with EACCES", async () => {
    const size = 8n << 20n;
    const view = new MemoryView(directory([["f", sparseFile(size, [{ offset: 0n, length: size }])]]));
    const bad = 4n << 20n;
    view.beforeRead = (_, offset) => {
      if (offset >= bad && offset < bad + (1n << 20n)) {
        throw new HoldfastError(ErrorCode.chunkDamaged, "a chunk is damaged");
      }
    };
    view.beforeLookup = (name) => {
      if (name === "locked") throw new HoldfastError(ErrorCode.vaultLocked, "the vault is locked");
    };
    await mount(view);
    // Without read-ahead, so that each dd asks for its own range.
    const read = (mib: number): ReturnType<typeof sh> =>
      sh(`dd if="$1" bs=64k skip=${mib * 16} count=1 status=none | wc -c`, join(mnt, "f"));
    expect((await read(4)).stderr).toContain("Input/output error");
    expect((await read(1)).stdout.toString().trim()).toBe("65536");
    expect((await read(6)).stdout.toString().trim()).toBe("65536");
    expect(log.lines.some(({ level, detail }) => level === "error" && "code" in detail)).toBe(true);
    expect((await sh(`stat "$1"`, join(mnt, "locked"))).stderr).toContain("Permission denied");
  });

  it("lets a reader be killed while the view stalls, and cancels a stalled lookup", async () => {
    const view = new MemoryView(directory([["f", file("content")]]));
    const { promise: never, resolve: release } = Promise.withResolvers<void>();
    let reads = 0;
    let lookups = 0;
    view.beforeRead = () => {
      reads++;
      return never;
    };
    view.beforeLookup = (name) => {
      if (name !== "stalled") return;
      lookups++;
      return never;
    };
    await mount(view);
    for (const name of ["f", "stalled"]) {
      const reader = start("cat", join(mnt, name));
      const exit = once(reader, "exit");
      await until(`${name} stalls`, () => (name === "f" ? reads : lookups) > 0);
      reader.kill("SIGKILL");
      expect(await exit).toEqual([null, "SIGKILL"]);
    }
    view.beforeRead = () => {};
    release();
    expect((await tool(`cat "$1"`, join(mnt, "f"))).toString()).toBe("content");
  });

  it("forgets nodes that the kernel let go of", async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => [`f${i}`, file("")] as const);
    const view = new MemoryView(directory([["s", directory(rows)]], { mutable: true }));
    const mounted = await mount(view);
    await tool(`find "$1" -size +1k`, mnt);
    expect(mounted.nodeCount()).toBe(3002);
    view.namesChanged(view.root);
    await until("the table is empty again", () => mounted.nodeCount() <= 2);
  });

  it("shows new and removed names of mutable directories", async () => {
    const view = new MemoryView(directory([["old", directory([])]], { mutable: true }));
    await mount(view);
    const list = async (): Promise<string> => (await tool(`ls "$1"`, mnt)).toString();
    expect(await list()).toBe("old\n");
    view.root.children?.delete("old");
    view.root.children?.set("new", directory([]));
    view.namesChanged(view.root);
    await until("the new name is there", async () => (await list()) === "new\n");
    await until("the old one is gone", async () => (await sh(`stat "$1/old"`, mnt)).status !== 0);
  });

  it("leaves out names that Linux cannot show, and says so", async () => {
    const bad = ["a/b", "", ".", "..", "n\0ul", "x".repeat(1025)].map((name) => [name, file("")] as const);
    await mount(new MemoryView(directory([...bad, ["good", file("")]])));
    expect((await tool(`ls -A "$1"`, mnt)).toString()).toBe("good\n");
    expect(log.lines.filter(({ level }) => level === "warn").length).toBeGreaterThanOrEqual(bad.length);
  });

  it("ends when somebody else unmounts it, and detaches from a busy drive", async () => {
    const first = await mount(new MemoryView(directory([["f", file("x")]])));
    await tool(`umount "$1"`, mnt);
    await first.closed;
    const second = await mount(new MemoryView(directory([["f", file("x")]])));
    const busy = start("sh", "-c", `cd "${mnt}" && echo in && exec sleep 1000`);
    await once(busy.stdout as NonNullable<typeof busy.stdout>, "data");
    await second.unmount();
    await second.closed;
    expect(await mountAt(mnt)).toBeUndefined();
  });

  it("mounts again over a daemon that was killed", async () => {
    for (const round of [1, 2]) {
      const daemon = start(process.execPath, daemonFile, mnt);
      await once(daemon.stdout as NonNullable<typeof daemon.stdout>, "data");
      expect((await tool(`cat "$1/f"`, mnt)).toString()).toBe("from the daemon");
      const exit = once(daemon, "exit");
      daemon.kill("SIGKILL");
      await exit;
      // At once, since no other process holds the descriptor.
      await expect(stat(mnt)).rejects.toMatchObject({ code: "ENOTCONN" });
      expect(round).toBeLessThan(3);
    }
    await mount(new MemoryView(directory([["f", file("after")]])));
    expect((await tool(`cat "$1/f"`, mnt)).toString()).toBe("after");
    expect(log.lines.some(({ message }) => message.includes("clearing away"))).toBe(true);
    await open[0]?.unmount();
    expect(await mountAt(mnt)).toBeUndefined();
  });

  it("lets the process exit while mounted, leaving a mount that the next run clears", async () => {
    const daemon = start(process.execPath, daemonFile, mnt, "exit");
    expect(await once(daemon, "exit")).toEqual([0, null]);
    await mount(new MemoryView(directory([])));
  });

  it("refuses mountpoints that are wrong, and says what to do", async () => {
    const view = new MemoryView(directory([]));
    const attempt = (path: string): Promise<unknown> => kernelDriver().mount(view, path, { logger: log });
    writeFileSync(join(scratch, "file"), "");
    for (const [path, message] of [
      [join(scratch, "file"), /is not a directory/],
      [join(scratch, "missing"), /does not exist/],
      [join(scratch, "missing", "deeper"), /cannot be used/],
      [scratch, /is not empty/],
    ] as const) {
      await expect(attempt(path)).rejects.toMatchObject({
        code: "mount-failed",
        message: expect.stringMatching(message),
      });
      await expect(attempt(path)).rejects.toHaveProperty("next", expect.stringMatching(/\w/));
    }
    await mount(view);
    await expect(attempt(mnt)).rejects.toMatchObject({
      message: expect.stringMatching(/a running Holdfast drive/),
    });
  });
});
