// The platform port: everything the agent asks of the operating system's file tree.
//
// Invariants that every implementation keeps:
//  - Calls are synchronous (they run in worker threads) and paths and names are raw bytes, never decoded.
//  - Every operation names its object by (handle, name). A name is one component; "/", NUL, "." and ".."
//    are refused. So no length limit of a whole path applies, and a symbolic link planted anywhere at a
//    restore target cannot redirect an operation: the last component is never followed either.
//  - SELF (the empty name) means the object behind the handle itself.
//  - Failures of the system are SystemErrors. What a platform cannot do is said by `capabilities` and
//    fails with ENOTSUP (reading xattrs answers "none", a map of holes answers "all data").
//  - Offsets and sizes are numbers: files over 2^53 - 1 bytes are refused with EFBIG, not rounded.

import type { Listing } from "./listing.ts";
import type { StatTable } from "./statTable.ts";

/** An open directory or file. `path` is for messages only; nothing is ever opened by it again. */
export type Handle = {
  readonly fd: number;
  readonly path: Buffer;
};

/** The name that means the object behind the handle. */
export const SELF: Uint8Array = new Uint8Array(0);

/** One extended attribute; both parts are raw bytes (the name with its namespace, "user.note"). */
export type Xattr = { readonly name: Buffer; readonly value: Buffer };

/** A run of data between holes: bytes from `start` up to, not including, `end`. */
export type Segment = { readonly start: number; readonly end: number };

/** What a file system says of itself. */
export type FileSystem = {
  /** Its name ("ext4", "proc"), or its magic number in hexadecimal where the name is not known. */
  readonly type: string;
  /** True for proc, sysfs, devtmpfs and their like: windows into the kernel, never worth a backup. */
  readonly pseudo: boolean;
  readonly totalBytes: number;
  /** What the caller may still write (without the part kept for root). */
  readonly availableBytes: number;
};

export type Capabilities = {
  readonly name: "linux" | "portable";
  /** Extended attributes and POSIX ACLs are read and written. */
  readonly xattrs: boolean;
  /** FIFOs and device nodes can be made. */
  readonly specialFiles: boolean;
  /** Holes are seen (SEEK_DATA). Without it sparse files read as zeros. */
  readonly holes: boolean;
  /** setTimes keeps nanoseconds; without it about 100 ns are lost. */
  readonly nanosecondTimes: boolean;
  /** Handles reach paths beyond PATH_MAX and stay put when a parent is renamed or replaced. */
  readonly descriptorRelative: boolean;
  /** StatTable.mountId is filled. */
  readonly mountIds: boolean;
};

export type DeviceKind = "characterDevice" | "blockDevice";

export interface Platform {
  readonly capabilities: Capabilities;

  // --- handles
  /** Opens a directory by a path of any length, absolute or relative to the process. Follows links: a person named it. */
  openDirectory(path: Uint8Array): Handle;
  /** Opens a directory below `directory`. `relative` may have many components and any length; no component may be a link. */
  openDirectoryAt(directory: Handle, relative: Uint8Array): Handle;
  /**
   * Opens a regular file for reading without touching its access time where that is allowed. Never blocks on
   * a FIFO that took the file's place: anything but a regular file fails with EINVAL (a link with ELOOP).
   */
  openFile(directory: Handle, name: Uint8Array): Handle;
  close(handle: Handle): void;

  // --- reading
  /** All names of a directory but "." and "..", sorted by bytes, each once. */
  list(directory: Handle): Listing;
  /** Fills row `row` of `table`; never follows a link. Throws where the object cannot be looked at. */
  stat(handle: Handle, name: Uint8Array, table: StatTable, row: number): void;
  /**
   * Fills rows 0.. of `table` for the entries [first, first + count) of a listing of `directory`. Does not
   * throw for single entries: `table.errno(row)` is 0 or says why that row is not filled.
   */
  statListed(directory: Handle, listing: Listing, first: number, count: number, table: StatTable): void;
  readLink(directory: Handle, name: Uint8Array): Buffer;
  /** Reads up to `target.length` bytes at `position`; returns the count, 0 at the end. */
  read(file: Handle, target: Uint8Array, position: number): number;
  /**
   * The runs of data of a file of `size` bytes from offset `from` on, at most `segmentsMax` of them. A result shorter than
   * that is the whole rest; else ask again from the last `end`. What lies between them, and up to `size`, is holes.
   */
  dataSegments(file: Handle, from: number, size: number, segmentsMax: number): Segment[];
  /** All extended attributes with their values, sorted by name; one that vanishes meanwhile is left out. */
  xattrs(handle: Handle, name: Uint8Array): readonly Xattr[];

  // --- restoring. Order that keeps everything: content, owner, mode, xattrs, times (each may undo a later one).
  /** Makes a new file, open for reading and writing; EEXIST where anything has the name. */
  createFile(directory: Handle, name: Uint8Array, mode: number): Handle;
  /** Opens an existing regular file for reading and writing in place. */
  openFileForUpdate(directory: Handle, name: Uint8Array): Handle;
  makeDirectory(directory: Handle, name: Uint8Array, mode: number): void;
  makeSymlink(directory: Handle, name: Uint8Array, target: Uint8Array): void;
  makeFifo(directory: Handle, name: Uint8Array, mode: number): void;
  makeDevice(
    directory: Handle,
    name: Uint8Array,
    kind: DeviceKind,
    mode: number,
    major: number,
    minor: number,
  ): void;
  /** Makes `name` another link to the object at (from, fromName), which is not followed. */
  makeLink(from: Handle, fromName: Uint8Array, directory: Handle, name: Uint8Array): void;
  /** Moves; replaces what has the new name unless `keep`, which then fails with EEXIST. */
  rename(from: Handle, fromName: Uint8Array, to: Handle, toName: Uint8Array, keep?: boolean): void;
  /** Removes anything but a directory. */
  removeFile(directory: Handle, name: Uint8Array): void;
  /** Removes an empty directory. */
  removeDirectory(directory: Handle, name: Uint8Array): void;
  /** Writes all of `source` at `position`. Holes come from setSize and from not writing. */
  write(file: Handle, source: Uint8Array, position: number): void;
  setSize(file: Handle, size: number): void;
  /**
   * Makes [start, end) read as zeros and gives back the room of the whole blocks in it; the size stays. False, with nothing
   * changed, where the platform or the file system cannot.
   */
  punchHole(file: Handle, start: number, end: number): boolean;
  setOwner(handle: Handle, name: Uint8Array, uid: number, gid: number): void;
  /** Sets the lower 12 mode bits; ENOTSUP on a symbolic link, whose mode Linux does not keep. */
  setMode(handle: Handle, name: Uint8Array, mode: number): void;
  /** Nanoseconds since 1970, also negative; an access time of undefined stays as it is. */
  setTimes(handle: Handle, name: Uint8Array, accessNs: bigint | undefined, modifiedNs: bigint): void;
  setXattr(handle: Handle, name: Uint8Array, xattr: Xattr): void;
  removeXattr(handle: Handle, name: Uint8Array, xattrName: Uint8Array): void;
  /** Puts a file's content and attributes, or a directory's names, on stable storage. */
  sync(handle: Handle): void;

  // --- the machine
  fileSystem(handle: Handle): FileSystem;
  /** Account names by number and back, cached for the life of the platform; undefined where there is none. */
  userName(uid: number): string | undefined;
  groupName(gid: number): string | undefined;
  userId(name: string): number | undefined;
  groupId(name: string): number | undefined;
}
