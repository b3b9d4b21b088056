// Compares what is on disk with the description that a fixture vault was made of.

import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { selectPlatform } from "../../../agent/platform/select.ts";
import type { NodeSpec } from "../../fs/treeSpec.ts";

const kindBits = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  fifo: 0o010000,
  socket: 0o140000,
  characterDevice: 0o020000,
  blockDevice: 0o060000,
} as const;

/** Differences as lines; `root` itself is not looked at. Sockets are not expected. */
export function checkTree(spec: NodeSpec, root: Buffer): string[] {
  const problems: string[] = [];
  checkDirectory(spec, root, problems);
  return problems;
}

function checkDirectory(spec: NodeSpec, path: Buffer, problems: string[]): void {
  if (spec.kind !== "directory") throw new Error("not a directory");
  const rows = [...spec.rows].filter(([, child]) => child.kind !== "socket");
  const expected = rows.map(([name]) => Buffer.from(name as string).toString("latin1")).sort();
  const found = readdirSync(path, { encoding: "buffer" }).map((name) => name.toString("latin1"));
  if (JSON.stringify(found.sort()) !== JSON.stringify(expected)) {
    problems.push(`${path}: has ${found.slice(0, 20)}, not ${expected.slice(0, 20)}`);
    return;
  }
  for (const [name, child] of rows) {
    checkOne(child, Buffer.concat([path, Buffer.from("/"), Buffer.from(name as string)]), problems);
  }
}

function checkOne(spec: NodeSpec, path: Buffer, problems: string[]): void {
  const stat = lstatSync(path, { bigint: true });
  const differ = (what: string, is: unknown, should: unknown): void => {
    if (is !== should) problems.push(`${path}: ${what} is ${is}, not ${should}`);
  };
  differ("kind", Number(stat.mode) & 0o170000, kindBits[spec.kind]);
  const mode = spec.mode ?? (spec.kind === "directory" ? 0o755 : 0o644);
  if (spec.kind !== "symlink") differ("mode", Number(stat.mode) & 0o7777, mode);
  if (process.getuid?.() === 0) {
    differ("uid", Number(stat.uid), spec.uid ?? 0);
    differ("gid", Number(stat.gid), spec.gid ?? 0);
  }
  const mtime = spec.mtime ?? { seconds: 1_700_000_000, nanoseconds: 123_456_789 };
  differ("mtime", stat.mtimeNs, BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds));
  differ("links", spec.kind === "directory" ? 1 : Number(stat.nlink), spec.linkCount ?? 1);
  checkXattrs(spec, path, problems);
  if (spec.kind === "directory") checkDirectory(spec, path, problems);
  if (spec.kind === "symlink") {
    const target = readlinkSync(path, { encoding: "buffer" }).toString("latin1");
    differ("target", target, Buffer.from(spec.target as string).toString("latin1"));
  }
  if (spec.kind === "characterDevice" || spec.kind === "blockDevice") {
    differ("device", Number(stat.rdev), spec.major * 256 + spec.minor);
  }
  if (spec.kind !== "file") return;
  const size = spec.pieces.reduce<number>((sum, piece) => sum + lengthOf(piece), 0);
  differ("size", Number(stat.size), size);
  if (size > 2 ** 30 || Number(stat.size) !== size) return;
  differ("content", hasContent(path, spec.pieces), true);
}

const stepBytes = 1024 * 1024;
const zeros = Buffer.alloc(stepBytes);
const window = Buffer.alloc(stepBytes);

/** Whether a file is exactly these pieces; read in steps, since a file that is mostly holes may be large. */
function hasContent(path: Buffer, pieces: readonly (Uint8Array | number)[]): boolean {
  const file = openSync(path, "r");
  try {
    for (const piece of pieces) {
      const end = lengthOf(piece);
      for (let at = 0; at < end; at += stepBytes) {
        const length = Math.min(stepBytes, end - at);
        if (readSync(file, window, 0, length, null) !== length) return false;
        const expected =
          typeof piece === "number" ? zeros.subarray(0, length) : piece.subarray(at, at + length);
        if (window.compare(expected, 0, length, 0, length) !== 0) return false;
      }
    }
    return readSync(file, window, 0, 1, null) === 0;
  } finally {
    closeSync(file);
  }
}

function checkXattrs(spec: NodeSpec, path: Buffer, problems: string[]): void {
  const platform = selectPlatform();
  const slash = path.lastIndexOf(0x2f);
  const parent = platform.openDirectory(path.subarray(0, slash));
  const shown = (list: readonly { name: Buffer; value: Buffer }[]) =>
    list
      .map(({ name, value }) => `${name}=${value.toString("hex")}`)
      .sort()
      .join();
  const found = shown(platform.xattrs(parent, path.subarray(slash + 1)));
  platform.close(parent);
  const expected = shown(spec.xattrs ?? []);
  if (found !== expected)
    problems.push(`${path}: attributes are ${found.slice(0, 99)}, not ${expected.slice(0, 99)}`);
}

function lengthOf(piece: Uint8Array | number): number {
  return typeof piece === "number" ? piece : piece.length;
}
