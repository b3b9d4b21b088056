// Rows of file attributes in one block of memory: no object and no BigInt per file unless asked for.
//
// The layout of a row is that of Linux's struct statx (256 bytes, part of the kernel's stable interface),
// so the Linux platform lets the kernel write rows directly; other platforms fill the same fields.

/** The values of the type bits of a mode, shifted right by 12; equal to the d_type of a directory entry. */
export const EntryKind = {
  unknown: 0,
  fifo: 1,
  characterDevice: 2,
  directory: 4,
  blockDevice: 6,
  file: 8,
  symlink: 10,
  socket: 12,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** Bytes of a row. */
export const STAT_ROW_BYTES = 256;
/** Words of 32 bits that copyChangeMark writes. */
export const CHANGE_MARK_WORDS = 10;

const ROW_WORDS = STAT_ROW_BYTES / 4;
// Offsets in words of 32 bits; 64-bit fields are low word first (both supported processors are little-endian).
const MASK = 0;
const LINK_COUNT = 4;
const UID = 5;
const GID = 6;
const MODE = 7;
const INODE = 8;
const SIZE = 10;
const BLOCKS = 12;
const ACCESSED = 16;
const BORN = 20;
const CHANGED = 24;
const MODIFIED = 28;
const RDEV_MAJOR = 32;
const DEV_MAJOR = 34;
const MOUNT_ID = 36;

const HAS_BIRTH_TIME = 0x800;
const HAS_MOUNT_ID = 0x1000;

/** The size, modification time, change time and inode: the words that must agree for "unchanged". */
const changeWords = [
  SIZE,
  SIZE + 1,
  MODIFIED,
  MODIFIED + 1,
  MODIFIED + 2,
  CHANGED,
  CHANGED + 1,
  CHANGED + 2,
  INODE,
  INODE + 1,
];

/** What a platform without statx hands in to fill a row. */
export type StatFields = {
  readonly mode: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly nlink: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
  readonly rdev: bigint;
  readonly size: bigint;
  readonly blocks: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthtimeNs: bigint;
};

/** A table of attribute rows; make one per thread and use it again and again. */
export class StatTable {
  readonly capacity: number;
  /** The rows; a platform writes them, everyone else uses the accessors. */
  readonly rows: Buffer;
  readonly #words: Uint32Array;
  readonly #wide: BigUint64Array;
  readonly #errnos: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    // An ArrayBuffer of its own, never a slice of Node's pool: its address must stay put.
    const memory = new ArrayBuffer(capacity * STAT_ROW_BYTES);
    this.rows = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#wide = new BigUint64Array(memory);
    this.#errnos = new Int32Array(capacity);
  }

  /** 0, or the errno.h number that says why the row was not filled. */
  errno(row: number): number {
    return this.#errnos[row] as number;
  }

  setErrno(row: number, errno: number): void {
    this.#errnos[row] = errno;
  }

  kind(row: number): EntryKind {
    return ((this.#word(row, MODE) >> 12) & 15) as EntryKind;
  }

  /** The lower 12 bits: permissions, setuid, setgid, sticky. */
  permissions(row: number): number {
    return this.#word(row, MODE) & 0o7777;
  }

  uid(row: number): number {
    return this.#word(row, UID);
  }

  gid(row: number): number {
    return this.#word(row, GID);
  }

  linkCount(row: number): number {
    return this.#word(row, LINK_COUNT);
  }

  /** Bytes; above 2^53 - 1 no longer exact, and such files are refused. */
  size(row: number): number {
    return this.#low64(row, SIZE);
  }

  /** Bytes on disk (512 times the block count): less than size means holes or compression. */
  allocatedBytes(row: number): number {
    return this.#low64(row, BLOCKS) * 512;
  }

  inode(row: number): bigint {
    return this.#wide[(row * ROW_WORDS + INODE) / 2] as bigint;
  }

  /** The device the object lives on, as one exact number (major * 2^32 + minor). */
  device(row: number): number {
    return this.#word(row, DEV_MAJOR) * 2 ** 32 + this.#word(row, DEV_MAJOR + 1);
  }

  /** The mount the object is reached through, 0 where the platform does not say. Bind mounts differ here and not in device. */
  mountId(row: number): number {
    return (this.#word(row, MASK) & HAS_MOUNT_ID) === 0 ? 0 : this.#low64(row, MOUNT_ID);
  }

  /** Of a device node. */
  deviceMajor(row: number): number {
    return this.#word(row, RDEV_MAJOR);
  }

  /** Of a device node. */
  deviceMinor(row: number): number {
    return this.#word(row, RDEV_MAJOR + 1);
  }

  accessedNs(row: number): bigint {
    return this.#time(row, ACCESSED);
  }

  modifiedNs(row: number): bigint {
    return this.#time(row, MODIFIED);
  }

  changedNs(row: number): bigint {
    return this.#time(row, CHANGED);
  }

  /** The parts of the times and the inode as plain numbers, for comparing many rows without a bigint. */
  modifiedSeconds(row: number): number {
    return this.#seconds(row, MODIFIED);
  }

  modifiedNanoseconds(row: number): number {
    return this.#word(row, MODIFIED + 2);
  }

  changedSeconds(row: number): number {
    return this.#seconds(row, CHANGED);
  }

  changedNanoseconds(row: number): number {
    return this.#word(row, CHANGED + 2);
  }

  bornSeconds(row: number): number {
    return (this.#word(row, MASK) & HAS_BIRTH_TIME) === 0 ? 0 : this.#seconds(row, BORN);
  }

  bornNanoseconds(row: number): number {
    return (this.#word(row, MASK) & HAS_BIRTH_TIME) === 0 ? 0 : this.#word(row, BORN + 2);
  }

  inodeLow(row: number): number {
    return this.#word(row, INODE);
  }

  inodeHigh(row: number): number {
    return this.#word(row, INODE + 1);
  }

  /** When the file was born; 0n where the file system does not know. */
  bornNs(row: number): bigint {
    return (this.#word(row, MASK) & HAS_BIRTH_TIME) === 0 ? 0n : this.#time(row, BORN);
  }

  /** Copies the CHANGE_MARK_WORDS that tell whether a file is unchanged: size, mtime, ctime, inode. */
  copyChangeMark(row: number, target: Uint32Array, at: number): void {
    const base = row * ROW_WORDS;
    for (let index = 0; index < CHANGE_MARK_WORDS; index++) {
      target[at + index] = this.#words[base + (changeWords[index] as number)] as number;
    }
  }

  /** True where a mark that copyChangeMark wrote still describes the row. */
  sameChangeMark(row: number, mark: Uint32Array, at: number): boolean {
    const base = row * ROW_WORDS;
    for (let index = 0; index < CHANGE_MARK_WORDS; index++) {
      if (mark[at + index] !== this.#words[base + (changeWords[index] as number)]) return false;
    }
    return true;
  }

  /** Fills a row from plain fields, for platforms without statx. */
  fill(row: number, fields: StatFields): void {
    const base = row * ROW_WORDS;
    const words = this.#words.fill(0, base, base + ROW_WORDS);
    words[base + MASK] = fields.birthtimeNs === 0n ? 0 : HAS_BIRTH_TIME;
    words[base + LINK_COUNT] = Number(fields.nlink);
    words[base + UID] = Number(fields.uid);
    words[base + GID] = Number(fields.gid);
    words[base + MODE] = Number(fields.mode);
    this.#set64(base + INODE, fields.ino);
    this.#set64(base + SIZE, fields.size);
    this.#set64(base + BLOCKS, fields.blocks);
    this.#setTime(base + ACCESSED, fields.atimeNs);
    this.#setTime(base + BORN, fields.birthtimeNs);
    this.#setTime(base + CHANGED, fields.ctimeNs);
    this.#setTime(base + MODIFIED, fields.mtimeNs);
    this.#setDevice(base + RDEV_MAJOR, fields.rdev);
    this.#setDevice(base + DEV_MAJOR, fields.dev);
    this.#errnos[row] = 0;
  }

  #word(row: number, word: number): number {
    return this.#words[row * ROW_WORDS + word] as number;
  }

  #low64(row: number, word: number): number {
    return this.#word(row, word + 1) * 2 ** 32 + this.#word(row, word);
  }

  #seconds(row: number, word: number): number {
    return (this.#word(row, word + 1) | 0) * 2 ** 32 + this.#word(row, word);
  }

  #time(row: number, word: number): bigint {
    return BigInt(this.#seconds(row, word)) * 1_000_000_000n + BigInt(this.#word(row, word + 2));
  }

  #set64(at: number, value: bigint): void {
    this.#words[at] = Number(value & 0xffff_ffffn);
    this.#words[at + 1] = Number((value >> 32n) & 0xffff_ffffn);
  }

  #setTime(at: number, ns: bigint): void {
    const nanos = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    this.#set64(at, (ns - nanos) / 1_000_000_000n);
    this.#words[at + 2] = Number(nanos);
  }

  /** Splits glibc's 64-bit device number into major and minor. */
  #setDevice(at: number, device: bigint): void {
    this.#words[at] = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n));
    this.#words[at + 1] = Number((device & 0xffn) | ((device >> 12n) & 0xffff_ff00n));
  }
}
