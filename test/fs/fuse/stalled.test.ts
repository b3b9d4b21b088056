// A source of records that does not answer must not hold anybody up: not readers that are killed, not umount, not the
// daemon's own end.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { detach } from "../../../fs/fuse/kernel/mountHelper.ts";
import { type KernelMounted, kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import { mountAt } from "../../../fs/fuse/mountTable.ts";
import { directory, file, MemoryView, sparseFile } from "../memoryView.ts";
import { canMount, freshDirectory, keptLog, sh, tool, until } from "./mounting.ts";

const MiB = 1 << 20;

describe.skipIf(!canMount())("a drive whose source stalls", () => {
  let scratch: string;
  let mnt: string;
  let view: MemoryView;
  let mounted: KernelMounted;
  let release: () => void;
  const lookups = new Set<string>();
  let aborted = 0;
  let readers: ChildProcess[] = [];

  beforeEach(async () => {
    scratch = freshDirectory();
    mnt = join(scratch, "mnt");
    mkdirSync(mnt);
    const large = sparseFile(64n << 20n, [{ offset: 0n, length: 64n << 20n }]);
    view = new MemoryView(
      directory(
        [
          ["large", large],
          ["small", file("content")],
          ["folder", directory([["inner", file("inner")]])],
        ],
        { mutable: true },
      ),
    );
    const { promise: stalled, resolve } = Promise.withResolvers<void>();
    release = resolve;
    aborted = 0;
    view.beforeRead = (_, __, signal) => {
      signal?.addEventListener("abort", () => aborted++);
      return stalled;
    };
    lookups.clear();
    view.beforeLookup = (name) => {
      lookups.add(name);
      return name === "stalled" || name === "inner" ? stalled : undefined;
    };
    mounted = await kernelDriver().mount(view, mnt, { logger: keptLog() });
  });
  afterEach(async () => {
    release();
    for (const reader of readers) reader.kill("SIGKILL");
    readers = [];
    await mounted.unmount();
    if ((await mountAt(mnt)) !== undefined) await detach(mnt, true);
    rmSync(scratch, { recursive: true, force: true });
  });

  const start = (command: string): ChildProcess => {
    const reader = spawn("sh", ["-c", `exec ${command}`, "sh", mnt], { stdio: "ignore" });
    readers.push(reader);
    return reader;
  };
  const stalls = (): Promise<void> => until("the source is asked", () => view.counts.readsNow > 0);

  it.each([
    ["reads", `cat "$1/large"`],
    ["reads through a map", `grep -c x "$1/large"`],
    ["reads past the cache", `dd if="$1/large" iflag=direct bs=${MiB}`],
  ])("lets a process that %s be killed, and reads again afterwards", async (_, command) => {
    const reader = start(command);
    const ended = once(reader, "exit");
    await stalls();
    reader.kill("SIGKILL");
    expect(await ended).toEqual([null, "SIGKILL"]);
    view.beforeRead = () => {};
    release();
    expect((await tool(`head -c 10 "$1/large" | wc -c`, mnt)).toString().trim()).toBe("10");
    await until("no read is left", () => view.counts.readsNow === 0);
  });

  it("tells a reader that a signal came", async () => {
    // A direct read waits in the request itself; SIGALRM has no handler that restarts it.
    const script = `import os,signal,sys,mmap
signal.signal(signal.SIGALRM, lambda *a: (_ for _ in ()).throw(InterruptedError()))
fd=os.open(sys.argv[1]+"/large", os.O_RDONLY|os.O_DIRECT)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try: os.preadv(fd, [mmap.mmap(-1, 4096)], 0)
except InterruptedError: print("interrupted")`;
    const ran = await sh(`python3 -c '${script}' "$1"`, mnt);
    expect([ran.stdout.toString(), ran.stderr]).toEqual(["interrupted\n", ""]);
    expect(aborted).toBeGreaterThan(0);
  });

  it("is unmounted from outside while readers stall", async () => {
    const ends = [`cat "$1/large"`, `cat "$1/small"`].map((command) => once(start(command), "exit"));
    await stalls();
    expect((await sh(`umount "$1"`, mnt)).stderr).toMatch(/busy/);
    await tool(`umount -l "$1"; umount -f "$1" 2>/dev/null || true`, mnt);
    // The readers hold it; its own end aborts them.
    await mounted.unmount();
    expect((await Promise.all(ends)).map(([status]) => status)).toEqual([1, 1]);
  });

  it("ends by itself while readers and lookups stall and a change is being told", async () => {
    // The folder's cached name is to be dropped, for which the kernel waits until the lookup in it is over.
    await tool(`stat "$1/folder"`, mnt);
    const ends = [`cat "$1/large"`, `stat "$1/stalled"`, `stat "$1/folder/inner"`].map((command) =>
      once(start(command), "exit"),
    );
    await stalls();
    await until("the lookups stall", () => lookups.has("stalled") && lookups.has("inner"));
    view.namesChanged(view.root);
    await mounted.unmount();
    expect((await Promise.all(ends)).map(([status]) => status)).toEqual([1, 1, 1]);
    expect(await mountAt(mnt)).toBeUndefined();
  });
});
