// What the parts of the Linux platform share: the C library, the fixed blocks that names are copied to, and the
// check that a name is one component.
//
// Stateful: the blocks are scratch memory of one platform on one thread. A name block is valid only until the next
// call that fills it, so every operation fills and uses it without anything in between.

import { checkName, PATH_BYTES_MAX, pathOf } from "./entryName.ts";
import type { Block, Libc } from "./libc.ts";
import { allocateBlock } from "./libc.ts";
import { lastErrno } from "./notedErrno.ts";
import type { Handle } from "./port.ts";
import { Errno, SystemError } from "./systemError.ts";

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;

const PREFIX = "/proc/self/fd/";

export class LinuxCalls {
  readonly libc: Libc;
  /** Fields of small structs, and results. */
  readonly fields: Block = allocateBlock(256);
  readonly #first: Block = allocateBlock(PATH_BYTES_MAX + 1);
  readonly #second: Block = allocateBlock(PATH_BYTES_MAX + 1);
  readonly #long: Block = allocateBlock(PREFIX.length + 16 + PATH_BYTES_MAX + 1);

  constructor(libc: Libc) {
    this.libc = libc;
  }

  /** Copies a name of one component and gives its address. */
  name(name: Uint8Array, handle: Handle, syscall: string): number {
    checkName(name, handle, syscall);
    return this.#put(name, this.#first);
  }

  /** The same for the second name of a call. */
  secondName(name: Uint8Array, handle: Handle, syscall: string): number {
    checkName(name, handle, syscall);
    return this.#put(name, this.#second);
  }

  /** Copies a name of one component, or SELF, which becomes the empty string that AT_EMPTY_PATH wants. */
  nameOrSelf(name: Uint8Array, handle: Handle, syscall: string): number {
    if (name.length > 0) checkName(name, handle, syscall);
    return this.#put(name, this.#first);
  }

  /** Copies bytes that are no name (a path, a link's target) and gives the address. They must be free of NUL. */
  text(bytes: Uint8Array, block: Block = this.#second): number {
    if (bytes.length > PATH_BYTES_MAX || bytes.includes(0)) {
      throw new SystemError(bytes.length > PATH_BYTES_MAX ? Errno.ENAMETOOLONG : Errno.EINVAL, "path", bytes);
    }
    return this.#put(bytes, block);
  }

  #put(bytes: Uint8Array, block: Block): number {
    block.bytes.set(bytes);
    block.bytes[bytes.length] = 0;
    return block.address;
  }

  /** The address of "/proc/self/fd/N/name", for calls that know no directory descriptor; the last component is still not followed by l-calls. */
  procPath(handle: Handle, name: Uint8Array, syscall: string): number {
    checkName(name, handle, syscall);
    const { bytes, address } = this.#long;
    const start = bytes.write(`${PREFIX}${handle.fd}/`, "latin1");
    bytes.set(name, start);
    bytes[start + name.length] = 0;
    return address;
  }

  /** Passes a result through, or throws what errno says where it is negative. */
  check(result: number, syscall: string, handle: Handle, name: Uint8Array): number {
    if (result < 0) throw new SystemError(lastErrno(), syscall, pathOf(handle, name));
    return result;
  }
}
