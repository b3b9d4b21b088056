// Calls of the C library that Node does not offer. Without koffi there are none, and what needs them is left out.

import { createRequire } from "node:module";

const F_DUPFD_CLOEXEC = 1030;

export type Libc = {
  /** read(2) of a descriptor that does not block; below 0 where there is nothing. */
  readonly read: (descriptor: number, buffer: Buffer, length: number) => number;
  /** writev(2): `vectors` holds iovecs with addresses. */
  readonly writev: (descriptor: number, vectors: Uint8Array, count: number) => number;
  /** Where the bytes are. They stay there, unless they are so few (64) that V8 has them in its heap. */
  readonly addressOf: (bytes: Uint8Array) => number;
  /** A second descriptor, not inherited by children; below 0 where there is none. */
  readonly duplicate: (descriptor: number) => number;
};

/** Undefined where koffi is not there or not wanted. */
export function loadLibc(): Libc | undefined {
  if (process.env.HOLDFAST_PLATFORM === "portable") return undefined;
  try {
    const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
    const all = koffi.load(null);
    const fcntl = all.func("int fcntl(int, int, ...)");
    return {
      read: all.func("long read(int, void *, size_t)") as unknown as Libc["read"],
      writev: all.func("long writev(int, void *, int)") as unknown as Libc["writev"],
      addressOf: (bytes) => Number(koffi.address(bytes)),
      duplicate: (descriptor) => fcntl(descriptor, F_DUPFD_CLOEXEC, "int", 3) as number,
    };
  } catch {
    return undefined;
  }
}
