// Encodes rows of directories right into the memory that is written to the kernel. Offsets are multiples of 8, as
// the kernel's structs are; `words` and `bytes` are the same memory.

import type { RowStat } from "../../view/rows.ts";
import { ATTR_OUT_BYTES, DIRENT_BYTES, ENTRY_OUT_BYTES, PAGE_BYTES } from "./abi.ts";
import { deviceNumber, type Ownership, typeBits } from "./reply.ts";

const WORD = 2 ** 32;
const BYTES_MIN = 64 * 1024;

/** Memory for one reply at a time, which is sent before the next is begun. */
export class ReplyMemory {
  #memory = new ArrayBuffer(BYTES_MIN);
  bytes = Buffer.from(this.#memory);
  words = new Uint32Array(this.#memory);

  /** Makes room; what was there is gone. */
  reserve(bytes: number): void {
    if (bytes <= this.#memory.byteLength) return;
    this.#memory = new ArrayBuffer(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
    this.bytes = Buffer.from(this.#memory);
    this.words = new Uint32Array(this.#memory);
  }
}

/** The type bits and permissions of st_mode. */
function modeOf(stat: RowStat): number {
  return typeBits[stat.kind] | stat.mode;
}

function writeAttr(words: Uint32Array, at: number, stat: RowStat, owner: Ownership): void {
  const blocks = Math.ceil(stat.allocatedBytes / 512);
  words[at] = stat.inodeLow;
  words[at + 1] = stat.inodeHigh;
  // Storing into a Uint32Array takes a number modulo 2^32, negative ones too.
  words[at + 2] = stat.size;
  words[at + 3] = stat.size / WORD;
  words[at + 4] = blocks;
  words[at + 5] = blocks / WORD;
  words[at + 6] = words[at + 8] = stat.mtimeSeconds;
  words[at + 7] = words[at + 9] = Math.floor(stat.mtimeSeconds / WORD);
  words[at + 10] = stat.ctimeSeconds;
  words[at + 11] = Math.floor(stat.ctimeSeconds / WORD);
  words[at + 12] = words[at + 13] = stat.mtimeNanoseconds;
  words[at + 14] = stat.ctimeNanoseconds;
  words[at + 15] = modeOf(stat);
  words[at + 16] = stat.linkCount;
  words[at + 17] = (owner ?? stat).uid;
  words[at + 18] = (owner ?? stat).gid;
  words[at + 19] = deviceNumber(stat.deviceMajor, stat.deviceMinor);
  words[at + 20] = PAGE_BYTES;
  words[at + 21] = 0;
}

/** fuse_entry_out at byte `at`; name and attributes may be kept for `seconds`. */
export function writeRowEntry(
  { words }: ReplyMemory,
  at: number,
  nodeId: number,
  stat: RowStat,
  seconds: number,
  owner: Ownership,
): void {
  const word = at / 4;
  words[word] = nodeId;
  words[word + 1] = nodeId / WORD;
  words[word + 2] = words[word + 3] = 0;
  words[word + 4] = words[word + 6] = seconds;
  words[word + 5] = words[word + 7] = 0;
  words[word + 8] = words[word + 9] = 0;
  writeAttr(words, word + 10, stat, owner);
}

/** fuse_entry_out of zeros, for a row of READDIRPLUS that hands no node out. */
export function writeNoEntry({ bytes }: ReplyMemory, at: number): void {
  bytes.fill(0, at, at + ENTRY_OUT_BYTES);
}

/** fuse_attr_out at the start. */
export function rowAttrReply(
  memory: ReplyMemory,
  stat: RowStat,
  seconds: number,
  owner: Ownership,
): Uint8Array {
  const { words } = memory;
  words[0] = seconds;
  words[1] = words[2] = words[3] = 0;
  writeAttr(words, 4, stat, owner);
  return memory.bytes.subarray(0, ATTR_OUT_BYTES);
}

/** The start of a fuse_dirent at `at`; the name of so many bytes goes to `at` + DIRENT_BYTES. */
export function writeRowDirent(
  { words }: ReplyMemory,
  at: number,
  stat: RowStat,
  next: number,
  nameBytes: number,
): void {
  const word = at / 4;
  words[word] = stat.inodeLow;
  words[word + 1] = stat.inodeHigh;
  words[word + 2] = next;
  words[word + 3] = next / WORD;
  words[word + 4] = nameBytes;
  words[word + 5] = typeBits[stat.kind] >> 12;
  // The last bytes behind the name are padding; the name overwrites what is its own.
  const last = (at + ((DIRENT_BYTES + nameBytes + 7) & ~7)) / 4;
  words[last - 2] = words[last - 1] = 0;
}
