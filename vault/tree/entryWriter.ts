// Writing rows of leaf pages (docs/format.md 6.4): what a draft may be, and its bytes.
import { asBuffer, type ByteWriter } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import {
  type ChunkRef,
  type ContentOf,
  type EntryDraft,
  EntryKind,
  extentsFit,
  Form,
  isCount,
  isLegalName,
  type Timestamp,
  type XattrsOf,
} from "./entry.ts";
import { encodeXattrs } from "./xattrs.ts";

const u32Max = 0xffff_ffff;
const u64Max = 0xffff_ffff_ffff_ffffn;

function corrupt(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, message);
}

function tooLarge(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.limitExceeded, message);
}

/**
 * Refuses a draft that format.md does not allow.
 * @throws HoldfastError limit-exceeded for what is too long or too large, corrupt for what is never legal
 */
export function checkDraft(draft: EntryDraft): void {
  checkCommon(draft);
  const { kind } = draft;
  if ((kind === EntryKind.file) !== (draft.size !== undefined)) throw corrupt("a size belongs to a file");
  if ((kind === EntryKind.directory) !== (draft.child !== undefined)) {
    throw corrupt("a child belongs to a directory");
  }
  if ((kind === EntryKind.symlink) !== (draft.target !== undefined))
    throw corrupt("a target belongs to a link");
  const device = kind === EntryKind.characterDevice || kind === EntryKind.blockDevice;
  if (device !== isCount(draft.major, u32Max) || device !== isCount(draft.minor, u32Max)) {
    throw corrupt("device numbers belong to a device");
  }
  if (draft.target !== undefined) {
    if (draft.target.length > limits.symlinkBytesMax) throw tooLarge("link target of over 32 KiB");
    if (draft.target.includes(0)) throw corrupt("link target with a NUL");
  }
  if (draft.child !== undefined) {
    const { files, directories, bytes } = draft.child;
    if (!isCount(files) || !isCount(directories) || !isCount(bytes)) throw corrupt("counts of a directory");
  }
  checkContent(draft);
}

function checkContent({ size = 0, fileHash, content }: EntryDraft): void {
  if (!isCount(size, limits.fileBytesMax)) throw tooLarge(`file of ${size} bytes`);
  if (size > 0 !== (content !== undefined) || size > 0 !== (fileHash?.length === Width.id)) {
    throw corrupt("content and hash belong to a file that is not empty");
  }
  if (content?.form === "pages" && content.dataBytes !== undefined) {
    if (content.dataBytes < 1 || !isCount(content.dataBytes, size - 1)) {
      throw corrupt(`${content.dataBytes} bytes of data in a file of ${size} with holes`);
    }
  }
  if (content?.form !== "inline") return;
  if (content.extents.length > limits.inlineExtentsMax) {
    throw tooLarge(`${content.extents.length} inline extents`);
  }
  if (!extentsFit(content.extents, size, (ref) => ref.plainLength)) {
    throw corrupt("extents do not cover their file");
  }
}

function checkCommon(draft: EntryDraft): void {
  if (draft.name.length > limits.nameBytesMax) throw tooLarge(`name of ${draft.name.length} bytes`);
  if (!isLegalName(draft.name)) throw corrupt(`not a name: ${JSON.stringify(draft.name.toString("latin1"))}`);
  if (!(draft.kind >= EntryKind.file && draft.kind <= EntryKind.blockDevice)) throw corrupt("unknown kind");
  if (!isCount(draft.mode, 0o7777)) throw corrupt(`mode ${draft.mode}`);
  checkU32(draft.uid);
  checkU32(draft.gid);
  checkU32(draft.linkCount);
  checkOwnerName(draft.userName);
  checkOwnerName(draft.groupName);
  checkTime(draft.mtime);
  checkTime(draft.ctime);
  checkTime(draft.btime);
  checkU64(draft.device);
  checkU64(draft.inode);
}

function checkU32(value: number): void {
  if (!isCount(value, u32Max)) throw corrupt(`owner or link count ${value}`);
}

function checkU64(value: bigint): void {
  if (value < 0n || value > u64Max) throw corrupt(`device or inode ${value}`);
}

function checkOwnerName(name: string): void {
  if (!name.isWellFormed()) throw corrupt("owner name that is not Unicode");
  // A code unit takes at most three bytes.
  if (name.length * 3 > limits.ownerNameBytesMax && Buffer.byteLength(name) > limits.ownerNameBytesMax) {
    throw tooLarge("owner name of over 256 bytes");
  }
}

function checkTime({ seconds, nanoseconds }: Timestamp): void {
  if (!Number.isSafeInteger(seconds) || !isCount(nanoseconds, 999_999_999)) throw corrupt("timestamp");
}

/** What an entry's writer asks of the page that it goes to: places of references and strings in its tables. */
export type EntryTables = {
  ordinalOf(ref: ChunkRef): number;
  indexOf(text: string): number;
};

/**
 * Writes the row of a checked draft, without its length. References are named in the order of their bytes in the row.
 * @throws HoldfastError limit-exceeded for inline attributes of over 1 KiB
 */
export function writeEntry(row: ByteWriter, draft: EntryDraft, tables: EntryTables): void {
  writeBytes(row, draft.name);
  row.u8(draft.kind);
  row.varint(draft.mode);
  row.varint(draft.uid);
  row.varint(draft.gid);
  row.varint(tables.indexOf(draft.userName));
  row.varint(tables.indexOf(draft.groupName));
  writeTime(row, draft.mtime);
  writeTime(row, draft.ctime);
  writeTime(row, draft.btime);
  row.u64(draft.device);
  row.u64(draft.inode);
  row.varint(draft.linkCount);
  writeXattrs(row, draft.xattrs, tables);
  if (draft.size !== undefined) row.varint(draft.size);
  if (draft.fileHash !== undefined) row.bytes(draft.fileHash);
  if (draft.content !== undefined) writeContent(row, draft.content, tables);
  if (draft.child !== undefined) {
    row.varint(tables.ordinalOf(draft.child));
    row.varint(draft.child.files);
    row.varint(draft.child.directories);
    row.varint(draft.child.bytes);
  }
  if (draft.target !== undefined) writeBytes(row, draft.target);
  if (draft.major !== undefined) row.varint(draft.major);
  if (draft.minor !== undefined) row.varint(draft.minor);
}

function writeXattrs(row: ByteWriter, xattrs: XattrsOf<ChunkRef>, tables: EntryTables): void {
  if (xattrs.form === "record") {
    row.u8(Form.record);
    row.varint(tables.ordinalOf(xattrs));
  } else if (xattrs.form === "none" || xattrs.list.length === 0) {
    row.u8(Form.none);
  } else {
    const list = encodeXattrs(xattrs.list);
    if (list.length > limits.inlineXattrBytesMax) throw tooLarge("inline attributes of over 1 KiB");
    row.u8(Form.inline);
    row.bytes(list);
  }
}

function writeContent(row: ByteWriter, content: ContentOf<ChunkRef>, tables: EntryTables): void {
  if (content.form === "pages") {
    row.u8(content.dataBytes === undefined ? Form.record : Form.sparseRecord);
    row.varint(tables.ordinalOf(content));
    if (content.dataBytes !== undefined) row.varint(content.dataBytes);
    return;
  }
  row.u8(Form.inline);
  row.varint(content.extents.length);
  for (const extent of content.extents) {
    row.varint(extent.length);
    if (extent.hole) {
      row.varint(0);
    } else {
      row.varint(tables.ordinalOf(extent) + 1);
      row.varint(extent.offset);
    }
  }
}

function writeTime(row: ByteWriter, time: Timestamp): void {
  row.u32(time.seconds >>> 0);
  row.u32(Math.floor(time.seconds / 2 ** 32) >>> 0);
  row.u32(time.nanoseconds);
}

function writeBytes(row: ByteWriter, bytes: Uint8Array): void {
  row.varint(bytes.length);
  row.bytes(asBuffer(bytes));
}
