// What a gateway's cache of blocks asks of this machine: where memory is, so that blocks can be written past the page cache, and the XXH64 of the
// zstd inside Node, which takes a quarter of the time of zlib's CRC-32.

import { addressIn, bindProcess } from "./libc.ts";
import { whereNative } from "./select.ts";

export type NativeBlocks = {
  readonly kind: number;
  readonly checksum: (bytes: Uint8Array) => number;
  readonly addressOf: (bytes: Uint8Array) => number;
};

/** The engine of this thread; undefined where this system has none. */
export function selectBlockEngine(): NativeBlocks | undefined {
  return whereNative(nativeBlocks);
}

function nativeBlocks(): NativeBlocks {
  // Declared with 32 bits it gives the lower half of its register, which is a number and no BigInt.
  const { ZSTD_XXH64 } = bindProcess({ ZSTD_XXH64: ["uint32", "uintptr_t", "int64", "int64"] } as const);
  const checksum = (bytes: Uint8Array): number => ZSTD_XXH64(addressIn(bytes), bytes.length, 0);
  // Published values of XXH64 with seed 0: of nothing ef46db3751d8e999, of "a" d24ec4f1a98c6e5b.
  if (checksum(new Uint8Array(1).subarray(1)) !== 0x51d8e999 || checksum(Uint8Array.of(97)) !== 0xa98c6e5b)
    throw new Error("the process's XXH64 does not work as expected");
  return { kind: 1, checksum, addressOf: addressIn };
}
