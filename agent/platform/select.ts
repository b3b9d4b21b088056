// Chooses the platform for this machine.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { createLinuxPlatform } from "./linux.ts";
import type { Platform } from "./port.ts";
import { createPortablePlatform } from "./portable.ts";

/**
 * The best platform this machine has: libc calls on 64-bit Linux, else node:fs alone. HOLDFAST_PLATFORM=portable forces the
 * latter. Call it once per thread: a platform holds scratch memory. Throws `unsupported` where the native code should work
 * and does not, since going on without it would quietly leave extended attributes out of every backup.
 */
export function selectPlatform(): Platform {
  if (!usesLibc()) return createPortablePlatform();
  try {
    return createLinuxPlatform();
  } catch (cause) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `the system's C library cannot be used: ${String(cause)}`,
      {
        next: "Set HOLDFAST_PLATFORM=portable to go on without extended attributes, ACLs, holes and special files.",
        cause,
      },
    );
  }
}

/** What `create` makes of native calls; undefined where none are to be made, or it throws. For what others can do as well. */
export function whereNative<T>(create: () => T): T | undefined {
  if (!usesLibc()) return undefined;
  try {
    return create();
  } catch {
    return undefined;
  }
}

/** Whether native calls are to be made here. */
export function usesLibc(): boolean {
  const supported = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  return supported && process.env.HOLDFAST_PLATFORM !== "portable";
}
