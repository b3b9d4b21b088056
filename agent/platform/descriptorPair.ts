// Receives an open descriptor from a child process over a Unix socket pair: recvmsg(2) with SCM_RIGHTS, which Node does not
// offer. It lets users other than root mount by fusermount3.

import { closeSync } from "node:fs";
import { allocateBlock, type Libc, lastErrno, loadLibc } from "./libc.ts";
import { SystemError } from "./systemError.ts";

const isArm = process.arch === "arm64";
const socketpairNumber = isArm ? 199 : 53;
const recvmsgNumber = isArm ? 212 : 47;
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

// struct msghdr, its one iovec with a byte to receive, and room for one control message, in one block (64-bit layout).
const At = { header: 0, iovec: 56, data: 72, control: 80, end: 104 } as const;
const controlBytes = At.end - At.control;

/** A socket pair: `childEnd` goes to the child, which sends one descriptor. */
export type DescriptorPair = {
  readonly childEnd: number;
  take(): number | undefined;
  close(): void;
};

/** True where this works. */
export function canReceiveDescriptors(): boolean {
  const supported = process.platform === "linux" && (process.arch === "x64" || isArm);
  return supported && process.env.HOLDFAST_PLATFORM !== "portable";
}

/** @throws SystemError */
export function openDescriptorPair(): DescriptorPair {
  const libc = loadLibc();
  const pair = allocateBlock(8);
  if (libc.syscall(socketpairNumber, AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair.address, 0) !== 0) {
    throw new SystemError(lastErrno(), "socketpair", Buffer.alloc(0));
  }
  const [ownEnd, childEnd] = [pair.view.getInt32(0, true), pair.view.getInt32(4, true)];
  return {
    childEnd,
    take: () => receive(libc, ownEnd),
    close: () => {
      closeSync(ownEnd);
      closeSync(childEnd);
    },
  };
}

/** The descriptor that has arrived (close-on-exec), or undefined. Does not wait. */
function receive(libc: Libc, socket: number): number | undefined {
  const { view, address } = allocateBlock(At.end);
  const pointer = (at: number, to: number): void => view.setBigUint64(at, BigInt(address + to), true);
  pointer(At.header + 16, At.iovec);
  view.setBigUint64(At.header + 24, 1n, true);
  pointer(At.header + 32, At.control);
  view.setBigUint64(At.header + 40, BigInt(controlBytes), true);
  pointer(At.iovec, At.data);
  view.setBigUint64(At.iovec + 8, 1n, true);
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
  if (libc.syscall(recvmsgNumber, socket, address, flags, 0, 0) <= 0) return undefined;
  const isRights =
    view.getBigUint64(At.control, true) >= 20n &&
    view.getInt32(At.control + 8, true) === SOL_SOCKET &&
    view.getInt32(At.control + 12, true) === SCM_RIGHTS;
  return isRights ? view.getInt32(At.control + 16, true) : undefined;
}
