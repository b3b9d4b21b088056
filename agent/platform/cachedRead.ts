// Reads of what the kernel has in memory already, on the calling thread: the way to a thread of the pool and back takes longer than the
// copy, but whatever needs the disk must not hold up an event loop.

import { addressIn, allocateBlock, bindProcess } from "./libc.ts";
import { whereNative } from "./select.ts";

const RWF_NOWAIT = 8;

/** Fills `into` from a file at once; false where not all of it is in memory, and then `into` may hold anything. */
export type CachedRead = (fd: number, into: Buffer, position: number) => boolean;

/** The reader of this thread; undefined where this system has none. */
export function selectCachedRead(): CachedRead | undefined {
  return whereNative(cachedRead);
}

function cachedRead(): CachedRead {
  const { preadv2 } = bindProcess({
    preadv2: ["int64", "int", "uintptr_t", "int", "int64", "int"],
  } as const);
  // struct iovec: where, and how many bytes.
  const { view, address } = allocateBlock(16);
  return (fd, into, position) => {
    if (into.length === 0) return true;
    view.setBigUint64(0, BigInt(addressIn(into)), true);
    view.setBigUint64(8, BigInt(into.length), true);
    return preadv2(fd, address, 1, position, RWF_NOWAIT) === into.length;
  };
}
