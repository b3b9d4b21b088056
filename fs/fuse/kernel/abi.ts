// Numbers of the kernel's FUSE ABI (include/uapi/linux/fuse.h), as far as a read-only server
// meets them. Fields are in host byte order; kernelDriver.ts refuses hosts that are not little-endian.

/** We speak 7.31 (Linux 5.4): everything we use is in it. Older kernels answer with their minor. */
export const PROTOCOL_MAJOR = 7;
export const PROTOCOL_MINOR = 31;

export const Opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  ioctl: 39,
  notifyReply: 41,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  lseek: 46,
  copyFileRange: 47,
  tmpfile: 51,
} as const;

/** Operations that would change something: answered with EROFS. */
export const writeOpcodes: ReadonlySet<number> = new Set([
  Opcode.setattr,
  Opcode.symlink,
  Opcode.mknod,
  Opcode.mkdir,
  Opcode.unlink,
  Opcode.rmdir,
  Opcode.rename,
  Opcode.link,
  Opcode.write,
  Opcode.setxattr,
  Opcode.removexattr,
  Opcode.create,
  Opcode.fallocate,
  Opcode.rename2,
  Opcode.copyFileRange,
  Opcode.tmpfile,
]);

/** What the kernel only tells and waits for no answer to; it refuses every reply to these. */
export const silentOpcodes: ReadonlySet<number> = new Set([
  Opcode.forget,
  Opcode.batchForget,
  Opcode.interrupt,
  Opcode.notifyReply,
]);

export const InitFlag = {
  asyncRead: 1 << 0,
  autoInvalData: 1 << 12,
  doReaddirplus: 1 << 13,
  noOpenSupport: 1 << 17,
  parallelDirops: 1 << 18,
  posixAcl: 1 << 20,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  noOpendirSupport: 1 << 24,
} as const;

export const OpenFlag = { keepCache: 1 << 1, cacheDir: 1 << 3 } as const;

export const Notify = { invalInode: 2, invalEntry: 3, store: 4 } as const;

export const Whence = { data: 3, hole: 4 } as const;

export const ROOT_NODE_ID = 1;
export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;
export const ATTR_BYTES = 88;
export const ENTRY_OUT_BYTES = 40 + ATTR_BYTES;
export const ATTR_OUT_BYTES = 16 + ATTR_BYTES;
export const DIRENT_BYTES = 24;
/** The kernel refuses a whole directory page over one longer name (FUSE_NAME_MAX before 6.18). */
export const NAME_BYTES_MAX = 1024;
/** Requests never carry file data here (the mount is read-only), so the smallest write size will do. */
export const MAX_WRITE_BYTES = 4096;
/** Also bounds how many forgets the kernel batches into one request. */
export const REQUEST_BUFFER_BYTES = 64 * 1024;
export const PAGE_BYTES = 4096;
/** 1 MiB reads: the most that kernels before 6.13 grant. */
export const MAX_PAGES = 256;
