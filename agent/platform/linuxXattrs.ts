// Extended attributes on Linux, POSIX ACLs (system.posix_acl_*) among them.
//
// Only kernels from 6.13 have calls that take a directory descriptor and a name; for others the name is reached
// through /proc/self/fd. Listing uses the new call where it works, because every new file needs it (2 us against 4 us).

import { allocateBlock, Syscall } from "./libc.ts";
import type { LinuxCalls } from "./linuxCalls.ts";
import { AT_SYMLINK_NOFOLLOW } from "./linuxCalls.ts";
import { lastErrno } from "./notedErrno.ts";
import type { Handle, Platform, Xattr } from "./port.ts";
import { Errno, SystemError } from "./systemError.ts";

// The kernel's own limits (XATTR_LIST_MAX, XATTR_SIZE_MAX, XATTR_NAME_MAX).
const LIST_BYTES_MAX = 65_536;
const VALUE_BYTES_MAX = 65_536;
const NAME_BYTES_MAX = 255;

const none: readonly Xattr[] = [];

type Xattrs = Pick<Platform, "xattrs" | "setXattr" | "removeXattr">;

export function linuxXattrs(calls: LinuxCalls): Xattrs {
  const { libc } = calls;
  const list = allocateBlock(LIST_BYTES_MAX);
  const value = allocateBlock(VALUE_BYTES_MAX);
  const attribute = allocateBlock(NAME_BYTES_MAX + 1);
  let listxattratWorks = true;

  function listNames(handle: Handle, name: Uint8Array): number {
    if (name.length === 0) return libc.flistxattr(handle.fd, list.address, LIST_BYTES_MAX);
    if (listxattratWorks) {
      const address = calls.name(name, handle, "listxattr");
      const length = libc.syscall(
        Syscall.listxattrat,
        handle.fd,
        address,
        AT_SYMLINK_NOFOLLOW,
        list.address,
        LIST_BYTES_MAX,
      );
      if (length >= 0 || (lastErrno() !== Errno.ENOSYS && lastErrno() !== Errno.EPERM)) return length;
      listxattratWorks = false;
    }
    return libc.llistxattr(calls.procPath(handle, name, "listxattr"), list.address, LIST_BYTES_MAX);
  }

  function setAttributeName(name: Uint8Array, handle: Handle, syscall: string): number {
    if (name.length === 0 || name.length > NAME_BYTES_MAX || name.includes(0)) {
      throw new SystemError(Errno.ERANGE, syscall, handle.path);
    }
    attribute.bytes.set(name);
    attribute.bytes[name.length] = 0;
    return attribute.address;
  }

  return {
    xattrs(handle, name) {
      const length = listNames(handle, name);
      if (length === 0) return none;
      if (length < 0) {
        if (lastErrno() === Errno.ENOTSUP) return none;
        calls.check(length, "listxattr", handle, name);
      }
      // The path stays in its block over all the calls below; they fill only `value` and `attribute`.
      const path = name.length === 0 ? 0 : calls.procPath(handle, name, "getxattr");
      const found: Xattr[] = [];
      for (let at = 0; at < length; ) {
        const end = list.bytes.indexOf(0, at);
        const key = Buffer.from(list.bytes.subarray(at, end));
        at = end + 1;
        const keyAddress = setAttributeName(key, handle, "getxattr");
        const size =
          name.length === 0
            ? libc.fgetxattr(handle.fd, keyAddress, value.address, VALUE_BYTES_MAX)
            : libc.lgetxattr(path, keyAddress, value.address, VALUE_BYTES_MAX);
        // Removed meanwhile, or an ACL that is listed though the mode alone says it all.
        if (size < 0 && lastErrno() === Errno.ENODATA) continue;
        calls.check(size, "getxattr", handle, name);
        found.push({ name: key, value: Buffer.from(value.bytes.subarray(0, size)) });
      }
      return found.sort((a, b) => Buffer.compare(a.name, b.name));
    },

    setXattr(handle, name, xattr) {
      const size = xattr.value.length;
      if (size > VALUE_BYTES_MAX) throw new SystemError(Errno.E2BIG, "setxattr", handle.path);
      const key = setAttributeName(xattr.name, handle, "setxattr");
      value.bytes.set(xattr.value);
      const result =
        name.length === 0
          ? libc.fsetxattr(handle.fd, key, value.address, size, 0)
          : libc.lsetxattr(calls.procPath(handle, name, "setxattr"), key, value.address, size, 0);
      calls.check(result, "setxattr", handle, name);
    },

    removeXattr(handle, name, xattrName) {
      const key = setAttributeName(xattrName, handle, "removexattr");
      const result =
        name.length === 0
          ? libc.fremovexattr(handle.fd, key)
          : libc.lremovexattr(calls.procPath(handle, name, "removexattr"), key);
      calls.check(result, "removexattr", handle, name);
    },
  };
}
