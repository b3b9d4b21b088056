// Parses one request as read from /dev/fuse. It throws nothing but HoldfastError("corrupt"), whatever the
// bytes, and keeps nothing of the buffer it was given: the reader reuses it at once.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { IN_HEADER_BYTES, Opcode, writeOpcodes } from "./abi.ts";

/** `unique` names the request in replies and interrupts; the kernel counts it up from 2 by 2. */
export type RequestHeader = { readonly opcode: number; readonly unique: number; readonly nodeId: number };

export type RequestBody =
  | {
      readonly op: "init";
      readonly major: number;
      readonly minor: number;
      readonly maxReadahead: number;
      /** 0 as the minor says which flags a kernel of another major may know. */
      readonly flags: number;
    }
  | { readonly op: "lookup"; readonly name: Uint8Array }
  | { readonly op: "forget"; readonly forgets: readonly { nodeId: number; lookups: number }[] }
  | { readonly op: "read"; readonly offset: bigint; readonly size: number }
  | { readonly op: "readdir"; readonly offset: number; readonly size: number; readonly plus: boolean }
  /** The name is text of a character per byte. */
  | { readonly op: "getxattr"; readonly name: string; readonly size: number }
  /** `uid`: who asks. */
  | { readonly op: "listxattr"; readonly size: number; readonly uid: number }
  | { readonly op: "lseek"; readonly offset: bigint; readonly whence: number }
  | { readonly op: "interrupt"; readonly unique: number }
  | { readonly op: "getattr" | "readlink" | "open" | "opendir" | "statfs" | "access" }
  | { readonly op: "release" | "flush" | "fsync" | "destroy" | "ioctl" | "write" | "unknown" };

export type Request = { readonly header: RequestHeader; readonly body: RequestBody };

const bodyless = new Map<number, RequestBody>([
  [Opcode.getattr, { op: "getattr" }],
  [Opcode.readlink, { op: "readlink" }],
  [Opcode.open, { op: "open" }],
  [Opcode.opendir, { op: "opendir" }],
  [Opcode.statfs, { op: "statfs" }],
  [Opcode.access, { op: "access" }],
  [Opcode.release, { op: "release" }],
  [Opcode.releasedir, { op: "release" }],
  [Opcode.flush, { op: "flush" }],
  [Opcode.fsync, { op: "fsync" }],
  [Opcode.fsyncdir, { op: "fsync" }],
  [Opcode.destroy, { op: "destroy" }],
  [Opcode.ioctl, { op: "ioctl" }],
  ...[...writeOpcodes].map((opcode): [number, RequestBody] => [opcode, { op: "write" }]),
]);

/**
 * The header of a request.
 * @throws HoldfastError corrupt when the bytes are no header of a request of just this length.
 */
export function parseHeader(bytes: Buffer): RequestHeader {
  if (bytes.length < IN_HEADER_BYTES) throw corrupt("is shorter than its header");
  if (bytes.readUInt32LE(0) !== bytes.length) throw corrupt("declares another length than it has");
  return { opcode: bytes.readUInt32LE(4), unique: count(bytes, 8), nodeId: count(bytes, 16) };
}

/**
 * What the request asks, by the opcode of its header.
 * @throws HoldfastError corrupt when the body is too short or a number is out of its range.
 */
export function parseBody(bytes: Buffer, opcode: number): RequestBody {
  const plain = bodyless.get(opcode);
  if (plain !== undefined) return plain;
  const at = IN_HEADER_BYTES;
  switch (opcode) {
    case Opcode.lookup:
      return { op: "lookup", name: nameAt(bytes, at) };
    case Opcode.read:
      need(bytes, at + 20);
      return { op: "read", offset: bytes.readBigUInt64LE(at + 8), size: bytes.readUInt32LE(at + 16) };
    case Opcode.readdir:
    case Opcode.readdirplus: {
      need(bytes, at + 20);
      const plus = opcode === Opcode.readdirplus;
      return { op: "readdir", offset: count(bytes, at + 8), size: bytes.readUInt32LE(at + 16), plus };
    }
    case Opcode.getxattr: {
      need(bytes, at + 8);
      const name = Buffer.from(nameAt(bytes, at + 8)).toString("latin1");
      return { op: "getxattr", name, size: bytes.readUInt32LE(at) };
    }
    case Opcode.listxattr:
      need(bytes, at + 4);
      return { op: "listxattr", size: bytes.readUInt32LE(at), uid: bytes.readUInt32LE(24) };
    case Opcode.lseek:
      need(bytes, at + 20);
      return { op: "lseek", offset: bytes.readBigUInt64LE(at + 8), whence: bytes.readUInt32LE(at + 16) };
    case Opcode.interrupt:
      need(bytes, at + 8);
      return { op: "interrupt", unique: count(bytes, at) };
    case Opcode.forget:
      need(bytes, at + 8);
      return { op: "forget", forgets: [{ nodeId: count(bytes, 16), lookups: count(bytes, at) }] };
    case Opcode.batchForget:
      return { op: "forget", forgets: batch(bytes, at) };
    case Opcode.init:
      return init(bytes, at);
    default:
      return { op: "unknown" };
  }
}

function init(bytes: Buffer, at: number): RequestBody {
  need(bytes, at + 8);
  const known = bytes.length >= at + 16;
  return {
    op: "init",
    major: bytes.readUInt32LE(at),
    minor: bytes.readUInt32LE(at + 4),
    maxReadahead: known ? bytes.readUInt32LE(at + 8) : 0,
    flags: known ? bytes.readUInt32LE(at + 12) : 0,
  };
}

function batch(bytes: Buffer, at: number): { nodeId: number; lookups: number }[] {
  need(bytes, at + 8);
  const length = bytes.readUInt32LE(at);
  // Checked before anything is allocated: the count is only a claim.
  need(bytes, at + 8 + length * 16);
  const forgets = [];
  for (let row = at + 8; forgets.length < length; row += 16) {
    forgets.push({ nodeId: count(bytes, row), lookups: count(bytes, row + 8) });
  }
  return forgets;
}

/** A copy of the NUL-terminated name at `at`. */
function nameAt(bytes: Buffer, at: number): Uint8Array {
  const end = bytes.indexOf(0, at);
  if (end < 0) throw corrupt("has a name without an end");
  return Uint8Array.prototype.slice.call(bytes, at, end);
}

/** An unsigned 64-bit field that our own or the kernel's counters never take beyond 2^53. */
function count(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
  if (!Number.isSafeInteger(value)) throw corrupt("has a number out of range");
  return value;
}

function need(bytes: Buffer, length: number): void {
  if (bytes.length < length) throw corrupt("is too short for its kind");
}

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `a FUSE request ${what}`);
}
