// The mounted drive, read with the system's own tools, must show the view exactly.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KernelMounted, kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import { type MemoryNode, MemoryView, syntheticByte } from "../memoryView.ts";
import { canMount, freshDirectory, keptLog, sh, tool } from "./mounting.ts";
import { content, nastyTree, sampleAcl, TEN_TERABYTES } from "./nastyTree.ts";

const typeBits: Record<string, number> = {
  fifo: 0o010000,
  characterDevice: 0o020000,
  directory: 0o040000,
  blockDevice: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

const { root, snapshot } = nastyTree();
const view = new MemoryView(root);
const log = keptLog();
let scratch: string;
let at: string;
let mounted: KernelMounted;

function* walk(path: string, node: MemoryNode): Generator<[string, MemoryNode]> {
  yield [path, node];
  for (const [name, child] of node.children ?? []) yield* walk(`${path}/${name}`, child);
}

function seconds(ns: bigint): string {
  const whole = ns / 1_000_000_000n - (ns < 0n ? 1n : 0n);
  return `${whole}.${String(ns - whole * 1_000_000_000n).padStart(9, "0")}`;
}

describe.skipIf(!canMount())("the kernel driver shows", () => {
  beforeAll(async () => {
    scratch = freshDirectory();
    mkdirSync(join(scratch, "mnt"));
    mounted = await kernelDriver().mount(view, join(scratch, "mnt"), { logger: log, allowOther: true });
    at = join(mounted.mountpoint, "snapshot");
  });
  afterAll(async () => {
    await mounted?.unmount();
    rmSync(scratch, { recursive: true, force: true });
    expect(log.lines).toEqual([]);
  });

  it("every name and all of stat, to find and stat", async () => {
    const format = "%p|%m|%U|%G|%n|%i|%s|%b|%T@|%C@|%y\\0";
    const found = (await tool(`find . -printf '${format}'`.replace("find", `cd "$1" && find`), at))
      .toString("latin1")
      .split("\0")
      .map((line) => line.replace(/0\|(?=[a-z]$)/, "|").replace(/0\|(?=-?\d+\.\d+\|[a-z]$)/, "|"));
    const letters: Record<string, string> = {
      file: "f",
      directory: "d",
      symlink: "l",
      fifo: "p",
      socket: "s",
    };
    const expected = [...walk(".", snapshot)].map(([path, { attributes: a }]) => {
      const letter = letters[a.kind] ?? (a.kind === "blockDevice" ? "b" : "c");
      const blocks = (a.allocatedBytes + 511n) / 512n;
      const fields = [path, a.mode.toString(8), a.uid, a.gid, a.linkCount, a.inode, a.size, blocks];
      return [...fields, seconds(a.mtimeNs), seconds(a.ctimeNs), letter].join("|");
    });
    expect(found.filter((line) => line !== "").toSorted()).toEqual(expected.toSorted());
    const devices = await tool(`cd "$1" && stat --format '%f %t %T' null disk`, at);
    const mode = (kind: string): string => ((typeBits[kind] ?? 0) | 0o644).toString(16);
    expect(devices.toString()).toBe(
      `${mode("characterDevice")} 1 3\n${mode("blockDevice")} ${(259).toString(16)} ${(70_000).toString(16)}\n`,
    );
  });

  it("attributes of a large directory in its rows, without a lookup for each", async () => {
    const before = view.counts.lookup;
    const sizes = await tool(`find "$1" -mindepth 1 -printf '%s\\n' | sort -n | uniq -c`, join(at, "many"));
    expect(sizes.toString().trim().split(/\s+/)).toEqual(["10", "1", "90", "2", "900", "3", "9000", "4"]);
    expect(view.counts.lookup - before).toBeLessThan(10);
  });

  it("symlink targets byte for byte", async () => {
    const found = await tool(`cd "$1" && readlink -n link && printf / && readlink -n dangling`, at);
    expect(found).toEqual(Buffer.from([...Buffer.from("content/"), 0x2f, 0xff, 0x0a]));
  });

  it("xattrs and ACLs, raw and to getfacl", async () => {
    const dump = await tool(`cd "$1" && getfattr -d -m - -e hex attributes`, at);
    expect(dump.toString().trim().split("\n").slice(1).toSorted()).toEqual([
      `system.posix_acl_access=0x${sampleAcl.toString("hex")}`,
      "user.binary=0x0001ff00",
      `user.note=0x${Buffer.from("a note").toString("hex")}`,
    ]);
    expect((await tool(`cd "$1" && getfacl -cn attributes`, at)).toString()).toContain("user:1234:r--");
    expect((await sh(`cd "$1" && getfattr -n user.none content`, at)).stderr).toContain("No such attribute");
  });

  it("owners and ACLs that the kernel enforces for other users", async () => {
    const as = (uid: number, name: string): Promise<{ status: number | null }> =>
      sh(`setpriv --reuid ${uid} --regid ${uid} --clear-groups cat "$1"`, join(at, name));
    expect((await as(4321, "private")).status).toBe(0);
    expect((await as(4322, "private")).status).not.toBe(0);
    expect((await as(1234, "attributes")).status).toBe(0);
    expect((await as(1235, "attributes")).status).not.toBe(0);
  });

  it("content to cmp, tar and dd", async () => {
    expect(await tool(`cat "$1"`, join(at, "content"))).toEqual(content);
    const packed = `cd "$1" && tar -cf - --exclude=./huge --exclude=./many . | tar -xpf - -C "$2"`;
    const copy = join(scratch, "copy");
    mkdirSync(copy);
    await tool(packed, at, copy);
    // Sockets are not archived; directories have no size of their own in a view.
    const list = `cd "$1" && find . -path ./many -prune -o ! -name huge ! -type s ! -type d -printf '%p %y %m %s %l %n\\0' | sort -z`;
    expect(await tool(list, copy)).toEqual(await tool(list, at));
    await tool(`cmp "$1/sparse" "$2/sparse" && cmp "$1/hard 1" "$2/hard 2"`, at, copy);
    const piece = await tool(`dd if="$1" bs=1 skip=299990 count=100 status=none`, join(at, "content"));
    expect(piece).toEqual(content.subarray(299_990));
  });

  it("a 10 TB file, at any offset", async () => {
    const read = (offset: bigint, length: number): Promise<Buffer> =>
      tool(
        `dd if="$1" iflag=skip_bytes,count_bytes bs=64k skip=${offset} count=${length} status=none`,
        join(at, "huge"),
      );
    const expected = (offset: bigint, length: number): Buffer =>
      Buffer.from(Array.from({ length }, (_, i) => syntheticByte(Number(offset) + i)));
    const far = 7n * 1024n ** 4n + 4096n;
    expect(await read(far + 1n, 5000)).toEqual(expected(far + 1n, 5000));
    expect(await read(far - 100n, 100)).toEqual(Buffer.alloc(100));
    expect(await read(TEN_TERABYTES - 10n, 1000)).toEqual(expected(TEN_TERABYTES - 10n, 10));
  });

  it("holes, so that cp and tar skip them", async () => {
    const before = view.counts.read;
    await tool(`cp --sparse=auto "$1/sparse" "$2/sparse-copy"`, at, scratch);
    // 256 MiB in 1 MiB reads would be 256 of them.
    expect(view.counts.read - before).toBeLessThan(100);
    await tool(`cmp "$1/sparse" "$2/sparse-copy"`, at, scratch);
    const blocks = Number(await tool(`stat -c %b "$1/sparse-copy"`, scratch));
    expect(blocks * 512).toBeLessThan(1 << 20);
    const archived = await tool(`tar -S --hole-detection=seek -cf - -C "$1" huge | wc -c`, at);
    expect(Number(archived)).toBeLessThan(4 << 20);
  });

  it("its size to df", async () => {
    const found = await tool(`stat -f -c '%b %S %c %l' "$1"`, at);
    expect(found.toString()).toBe(`${(10 * 1024 ** 3) / 4096} 4096 12345 255\n`);
  });

  it("nothing that can be written", async () => {
    const attempts = [
      "touch new",
      "touch content",
      "mkdir d",
      "rm content",
      "rmdir 'empty directory'",
      "mv content other",
      "ln content other",
      "ln -s a b",
      "mkfifo p",
      "mknod n c 1 3",
      "chmod 600 content",
      "chown 1 content",
      "truncate -s 1 content",
      "setfattr -n user.a -v b content",
      "setfattr -x user.note attributes",
      "sh -c 'echo >> content'",
    ];
    for (const attempt of attempts) {
      const ran = await sh(`cd "$1" && ${attempt}`, at);
      expect(`${attempt}: ${ran.status} ${ran.stderr}`).toMatch(/: [12] .*Read-only file system/);
    }
  });
});
