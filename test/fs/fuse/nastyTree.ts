// A small tree with everything that tools trip over.

import { randomBytes } from "node:crypto";
import { directory, file, type MemoryNode, node, sparseFile } from "../memoryView.ts";

/** POSIX ACL as the kernel stores it: version 2, then (tag, permissions, id) rows. */
export function acl(rows: readonly (readonly [number, number, number])[]): Buffer {
  const out = Buffer.alloc(4 + rows.length * 8);
  out.writeUInt32LE(2, 0);
  rows.forEach(([tag, permissions, id], row) => {
    out.writeUInt16LE(tag, 4 + row * 8);
    out.writeUInt16LE(permissions, 6 + row * 8);
    out.writeUInt32LE(id, 8 + row * 8);
  });
  return out;
}

export const NOBODY = 0xffffffff;
/** user::rw- user:1234:r-- group::r-- mask::r-- other::--- */
export const sampleAcl = acl([
  [0x01, 6, NOBODY],
  [0x02, 4, 1234],
  [0x04, 4, NOBODY],
  [0x10, 4, NOBODY],
  [0x20, 0, NOBODY],
]);

export const rawName = Buffer.from([0x66, 0xff, 0xfe, 0x80, 0x2e, 0x62]);
export const TEN_TERABYTES = 10n * 1024n ** 4n;
export const content = randomBytes(300_000);

/** A fresh tree below a mutable root; `snapshot` and all below it is immutable. */
export function nastyTree(): { root: MemoryNode; snapshot: MemoryNode } {
  const twin = file("linked\n", { linkCount: 2 });
  const many = Array.from({ length: 10_000 }, (_, i) => [`entry-${i}`, file(`${i}`)] as const);
  const text = (value: string): Buffer => Buffer.from(value);
  const xattrs = new Map([
    ["user.note", text("a note")],
    ["user.binary", Buffer.from([0, 1, 0xff, 0])],
    ["system.posix_acl_access", sampleAcl],
  ]);
  const snapshot = directory([
    [rawName, file("not UTF-8\n")],
    ["line\nbreak", file("newline\n")],
    [" lead and trail ", file("spaces\n")],
    ["x".repeat(255), file("long\n")],
    ["-rf", directory([["inner", file("inner\n")]])],
    ["empty", file("")],
    ["empty directory", directory([])],
    ["content", file(content, { mode: 0o4751, uid: 1000, gid: 1001, mtimeNs: -1_500_000_001n })],
    ["private", file("secret\n", { mode: 0o600, uid: 4321 })],
    ["attributes", file("xattrs\n", { mode: 0o640, xattrs })],
    ["hard 1", twin],
    ["hard 2", twin],
    ["link", node("symlink", { mode: 0o777 }, { target: text("content") })],
    ["dangling", node("symlink", { mode: 0o777 }, { target: Buffer.from([0x2f, 0xff, 0x0a]) })],
    ["fifo", node("fifo")],
    ["socket", node("socket")],
    ["null", node("characterDevice", { deviceMajor: 1, deviceMinor: 3 })],
    ["disk", node("blockDevice", { deviceMajor: 259, deviceMinor: 70_000 })],
    ["many", directory(many)],
    [
      "sparse",
      sparseFile(1n << 28n, [
        { offset: 8192n, length: 70_000n },
        { offset: 1n << 27n, length: 4096n },
      ]),
    ],
    [
      "huge",
      sparseFile(TEN_TERABYTES, [
        { offset: 0n, length: 1n << 20n },
        { offset: 7n * 1024n ** 4n + 4096n, length: 1n << 20n },
        { offset: TEN_TERABYTES - 4096n, length: 4096n },
      ]),
    ],
  ]);
  return { root: directory([["snapshot", snapshot]], { mutable: true }), snapshot };
}
