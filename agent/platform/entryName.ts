// The check that a name is one component of a path, and the joining of names for messages.

import type { Handle } from "./port.ts";
import { Errno, SystemError } from "./systemError.ts";

/** The longest path, without its NUL, that one system call takes. */
export const PATH_BYTES_MAX = 4095;

const SLASH = 0x2f;
const DOT = 0x2e;

/** Throws EINVAL or ENAMETOOLONG unless `name` is a single component that stays inside its directory. */
export function checkName(name: Uint8Array, handle: Handle, syscall: string): void {
  const length = name.length;
  let bad = length === 0 || length > PATH_BYTES_MAX;
  if (length <= 2) bad ||= name[0] === DOT && (length === 1 || name[1] === DOT);
  for (let at = 0; at < length && !bad; at++) bad = name[at] === SLASH || name[at] === 0;
  if (bad)
    throw new SystemError(
      length > PATH_BYTES_MAX ? Errno.ENAMETOOLONG : Errno.EINVAL,
      syscall,
      pathOf(handle, name),
    );
}

/** The path for messages. */
export function pathOf(handle: Handle, name: Uint8Array): Buffer {
  if (name.length === 0) return handle.path;
  if (handle.path.length === 0) return Buffer.from(name);
  const { path } = handle;
  const at = path[path.length - 1] === SLASH ? path.length : path.length + 1;
  const joined = Buffer.allocUnsafe(at + name.length);
  joined.set(path);
  joined[at - 1] = SLASH;
  joined.set(name, at);
  return joined;
}
