// How much a connection may have received that nobody has read yet. What is read slowly comes slowly only once this is full, and Linux lets
// it grow to megabytes; Node has no call for it.

import { canLockFiles } from "./fileLock.ts";
import { allocateBlock, type Block, loadLibc } from "./libc.ts";

const setsockopt = process.arch === "arm64" ? 208 : 54;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;

let value: Block | undefined;

/** Bounds it for an open socket (the kernel takes twice as much, its own overhead included). What cannot be bounded stays as it is. */
export function boundReceiveBuffer(descriptor: number, bytes: number): void {
  if (!canLockFiles()) return;
  value ??= allocateBlock(4);
  value.view.setInt32(0, bytes, true);
  loadLibc().syscall(setsockopt, descriptor, SOL_SOCKET, SO_RCVBUF, value.address, 4);
}
