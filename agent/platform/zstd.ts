// What the parts that call the process's zstd share: its functions for compressing, and the parameters of a frame.

import { matchTableLog } from "../../vault/seal/engine.ts";

/** ZSTD_cParameter. */
const ZSTD_c_compressionLevel = 100;
const ZSTD_c_hashLog = 102;

// Sizes and pointers are declared as signed 64-bit numbers: zstd's error codes are then negative.
export const zstdFunctions = {
  ZSTD_createCCtx: ["uintptr_t"],
  ZSTD_freeCCtx: ["int64", "uintptr_t"],
  ZSTD_CCtx_setParameter: ["int64", "uintptr_t", "int", "int"],
  ZSTD_compressBound: ["int64", "int64"],
  ZSTD_compress2: ["int64", "uintptr_t", "uintptr_t", "int64", "uintptr_t", "int64"],
} as const;

type ZstdCalls = { readonly [Name in keyof typeof zstdFunctions]: (...args: number[]) => number };

/** Sets what a context is to compress the next frame of `bytes` bytes with, where that is not what it has. */
export function zstdParameters(native: ZstdCalls, context: number): (level: number, bytes: number) => void {
  const now = new Map<number, number>();
  const set = (parameter: number, value: number): void => {
    if (now.get(parameter) === value) return;
    if (native.ZSTD_CCtx_setParameter(context, parameter, value) < 0) {
      throw new Error(`zstd does not take ${value} for parameter ${parameter}`);
    }
    now.set(parameter, value);
  };
  return (level, bytes) => {
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_hashLog, matchTableLog(level, bytes));
  };
}
