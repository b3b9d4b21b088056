// The C library through koffi: the only file of the agent that loads native code.
//
// Pointers are passed as plain numbers (addresses of Blocks that live as long as the process), which saves
// about 0.3 us a call over passing Buffers. A Block's memory never moves and never is freed while referenced.

import { createRequire } from "node:module";
import type * as Koffi from "koffi";
import { type CCall, notingErrno } from "./notedErrno.ts";

// Loaded on first use and not by an import, so that machines without a build of it can run the portable platform.
let koffi: typeof Koffi;
/** This process as a library, opened once per thread and never let go. */
let self: Koffi.LibraryHandle | undefined;

function load(): typeof Koffi {
  koffi ??= createRequire(import.meta.url)("koffi") as typeof Koffi;
  return koffi;
}

/** Memory at a fixed address. */
export type Block = {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly address: number;
};

/** Allocates a Block. */
export function allocateBlock(size: number): Block {
  const memory = new ArrayBuffer(size);
  const bytes = Buffer.from(memory);
  return { bytes, view: new DataView(memory), address: addressOf(bytes) };
}

/** Where a buffer's memory is. Valid while the buffer is referenced; only for buffers with an ArrayBuffer of their own. */
export function addressOf(buffer: Uint8Array): number {
  return Number(load().address(buffer));
}

const bases = new WeakMap<ArrayBufferLike, number>();

/** Where bytes lie, whatever memory they are a view of (also shared memory). Valid while that is referenced and not transferred. */
export function addressIn(bytes: Uint8Array): number {
  const { buffer, byteOffset } = bytes;
  let base = bases.get(buffer);
  if (base === undefined) {
    base = addressOf(new Uint8Array(buffer));
    bases.set(buffer, base);
  }
  return base + byteOffset;
}

/** The calls this folder makes. Every pointer is an address, every 64-bit number must be exact in a double. */
export type Libc = { readonly [Name in keyof typeof signatures]: CCall };

// Variadic functions (openat, syscall) are declared with fixed arguments: on x86-64 and arm64 Linux both are
// passed alike. The result of each comes first.
const signatures = {
  openat: ["int", "int", "uintptr_t", "int", "uint"],
  close: ["int", "int"],
  statx: ["int", "int", "uintptr_t", "int", "uint", "uintptr_t"],
  pread: ["int64", "int", "uintptr_t", "uint64", "int64"],
  readlinkat: ["int64", "int", "uintptr_t", "uintptr_t", "uint64"],
  fallocate: ["int", "int", "int", "int64", "int64"],
  lseek: ["int64", "int", "int64", "int"],
  mkdirat: ["int", "int", "uintptr_t", "uint"],
  symlinkat: ["int", "uintptr_t", "int", "uintptr_t"],
  mknodat: ["int", "int", "uintptr_t", "uint", "uint64"],
  linkat: ["int", "int", "uintptr_t", "int", "uintptr_t", "int"],
  unlinkat: ["int", "int", "uintptr_t", "int"],
  fchownat: ["int", "int", "uintptr_t", "uint", "uint", "int"],
  fchmodat: ["int", "int", "uintptr_t", "uint", "int"],
  fchmod: ["int", "int", "uint"],
  utimensat: ["int", "int", "uintptr_t", "uintptr_t", "int"],
  futimens: ["int", "int", "uintptr_t"],
  llistxattr: ["int64", "uintptr_t", "uintptr_t", "uint64"],
  flistxattr: ["int64", "int", "uintptr_t", "uint64"],
  lgetxattr: ["int64", "uintptr_t", "uintptr_t", "uintptr_t", "uint64"],
  fgetxattr: ["int64", "int", "uintptr_t", "uintptr_t", "uint64"],
  lsetxattr: ["int", "uintptr_t", "uintptr_t", "uintptr_t", "uint64", "int"],
  fsetxattr: ["int", "int", "uintptr_t", "uintptr_t", "uint64", "int"],
  lremovexattr: ["int", "uintptr_t", "uintptr_t"],
  fremovexattr: ["int", "int", "uintptr_t"],
  fstatfs: ["int", "int", "uintptr_t"],
  getpwuid_r: ["int", "uint", "uintptr_t", "uintptr_t", "uint64", "uintptr_t"],
  getgrgid_r: ["int", "uint", "uintptr_t", "uintptr_t", "uint64", "uintptr_t"],
  getpwnam_r: ["int", "uintptr_t", "uintptr_t", "uintptr_t", "uint64", "uintptr_t"],
  getgrnam_r: ["int", "uintptr_t", "uintptr_t", "uintptr_t", "uint64", "uintptr_t"],
  socketpair: ["int", "int", "int", "int", "uintptr_t"],
  recvmsg: ["int64", "int", "uintptr_t", "int"],
  syscall: ["int64", "int64", "int64", "uintptr_t", "int64", "uintptr_t", "int64"],
} as const;

/** System calls that have no C function everywhere, by number; the newer ones are the same on every processor. */
export const Syscall = {
  getdents64: process.arch === "arm64" ? 61 : 217,
  renameat2: process.arch === "arm64" ? 276 : 316,
  openat2: 437,
  listxattrat: 465,
} as const;

/** Binds the C library this process already runs on (glibc or musl), with errno noted (notedErrno.ts); throws where a function is missing. */
export function loadLibc(): Libc {
  libc ??= bindLibc();
  return libc;
}

let libc: Libc | undefined;

function bindLibc(): Libc {
  const calls = bindProcess(signatures);
  const errno = load().errno as () => number;
  const noting = Object.entries(calls).map(([name, call]) => {
    const [, ...parameters] = signatures[name as keyof typeof signatures];
    return [name, notingErrno(call, parameters.length, errno)];
  });
  return Object.fromEntries(noting) as Libc;
}

/** Binds functions that this process has, its own or of a library, by their results and parameters; throws where one is missing. */
export function bindProcess<Name extends string>(
  functions: Readonly<Record<Name, readonly [string, ...string[]]>>,
): { readonly [Each in Name]: CCall } {
  self ??= load().load(null);
  const library = self;
  const calls: Partial<Record<Name, CCall>> = {};
  for (const name of Object.keys(functions) as Name[]) {
    const [result, ...parameters] = functions[name];
    calls[name] = library.func(name, result, parameters);
  }
  return calls as Record<Name, CCall>;
}

/**
 * The same function, run on one of the threads that Node keeps for such work. Everything it is pointed to must stay until it is done; what
 * it leaves in errno is lost.
 */
export function background(call: CCall): (...args: number[]) => Promise<number> {
  const begin = (call as Koffi.KoffiFunc<CCall>).async;
  return (...args) =>
    new Promise((resolve, reject) => {
      begin(...args, (error: unknown, result: number) => {
        if (error) reject(error as Error);
        else resolve(result);
      });
    });
}

/** What a function of this process says as text, given a number. Throws where it is missing. */
export function processText(name: string, argument: number): string {
  self ??= load().load(null);
  const call = self.func(name, "str", ["int"]) as (argument: number) => string | null;
  return call(argument) ?? "";
}
