// Receives an open descriptor from a child process over a Unix socket (SCM_RIGHTS), which Node cannot: its sockets
// drop descriptors. fusermount3 passes the mounted /dev/fuse to ordinary users this way.
//
// Invariants: nothing here waits, so a child that dies or passes nothing cannot hang anybody; every descriptor that
// arrives is either handed to the caller or closed; descriptors are close-on-exec from birth.

import { allocateBlock, type Block, type Libc, loadLibc } from "./libc.ts";
import { lastErrno } from "./notedErrno.ts";
import { Errno, SystemError } from "./systemError.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x08;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

// struct msghdr of 64-bit Linux, glibc and musl alike: name 0, name length 8, iov 16, iov count 24, control 32,
// control length 40, flags 48. struct iovec: base 0, length 8. struct cmsghdr: length 0, level 8, type 12, data 16.
const IOV = 16;
const IOV_COUNT = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const FLAGS = 48;
const MESSAGE_BYTES = 56;
const CMSG_LEVEL = 8;
const CMSG_TYPE = 12;
const CMSG_DATA = 16;
/** Room for four descriptors: one is expected, and more than one is refused rather than cut off unseen. */
const CONTROL_BYTES = CMSG_DATA + 4 * 4;
const DATA_BYTES = 8;

/** A Unix socket pair: `childEnd` goes to a child process, which sends one descriptor over it. */
export type DescriptorPair = {
  readonly childEnd: number;
  /**
   * The descriptor that has arrived, now the caller's to close; undefined when none has. Never waits: call it after the child
   * ended. Throws SystemError for a broken socket, and EINVAL where more than one descriptor came (all are closed then).
   */
  take(): number | undefined;
  /** Closes both ends, with whatever arrived and was not taken. Safe to call twice. */
  close(): void;
};

export type DescriptorReceiver = {
  /** @throws SystemError, such as EMFILE */
  openPair(): DescriptorPair;
};

/**
 * The receiver of this machine, to be handed to the kernel-protocol FUSE driver so that users other than root can mount;
 * undefined where there is none (not 64-bit Linux, or HOLDFAST_PLATFORM=portable).
 */
export function descriptorReceiver(): DescriptorReceiver | undefined {
  const supported = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  if (!supported || process.env.HOLDFAST_PLATFORM === "portable") return undefined;
  return { openPair: () => openPair(loadLibc()) };
}

function openPair(libc: Libc): DescriptorPair {
  const ends = allocateBlock(8);
  if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.address) !== 0) {
    throw new SystemError(lastErrno(), "socketpair", Buffer.alloc(0));
  }
  const ours = ends.view.getInt32(0, true);
  const childEnd = ends.view.getInt32(4, true);
  let open = true;
  return {
    childEnd,
    take: () => {
      if (!open) throw new Error("take after close");
      return receive(libc, ours);
    },
    close: () => {
      if (!open) return;
      open = false;
      libc.close(ours);
      libc.close(childEnd);
    },
  };
}

function receive(libc: Libc, socket: number): number | undefined {
  const message = allocateBlock(MESSAGE_BYTES);
  const piece = allocateBlock(16);
  const data = allocateBlock(DATA_BYTES);
  const control = allocateBlock(CONTROL_BYTES);
  const pointer = (block: Block, at: number, value: number): void =>
    block.view.setBigUint64(at, BigInt(value), true);
  pointer(piece, 0, data.address);
  pointer(piece, 8, DATA_BYTES);
  pointer(message, IOV, piece.address);
  pointer(message, IOV_COUNT, 1);
  pointer(message, CONTROL, control.address);
  pointer(message, CONTROL_LENGTH, CONTROL_BYTES);
  const got = libc.recvmsg(socket, message.address, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    const errno = lastErrno();
    if (errno === Errno.EAGAIN) return undefined;
    throw new SystemError(errno, "recvmsg", Buffer.alloc(0));
  }
  const received = descriptorsIn(message, control);
  if (received.length === 0) return undefined;
  if (received.length === 1 && (message.view.getInt32(FLAGS, true) & MSG_CTRUNC) === 0) return received[0];
  for (const descriptor of received) libc.close(descriptor);
  throw new SystemError(Errno.EINVAL, "recvmsg", Buffer.alloc(0));
}

/** The descriptors of the first control message, within what the kernel says it wrote. */
function descriptorsIn(message: Block, control: Block): number[] {
  const written = Math.min(Number(message.view.getBigUint64(CONTROL_LENGTH, true)), CONTROL_BYTES);
  if (written < CMSG_DATA + 4) return [];
  const { view } = control;
  if (view.getInt32(CMSG_LEVEL, true) !== SOL_SOCKET || view.getInt32(CMSG_TYPE, true) !== SCM_RIGHTS)
    return [];
  const end = Math.min(Number(view.getBigUint64(0, true)), written);
  const received: number[] = [];
  for (let at = CMSG_DATA; at + 4 <= end; at += 4) received.push(view.getInt32(at, true));
  return received;
}
