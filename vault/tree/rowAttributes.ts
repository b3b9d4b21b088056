// All that stat(2) shows of a row in a leaf page (docs/format.md 6.4), without building its entry.
import type { ByteReader } from "../bytes.ts";
import { Width } from "../magic.ts";
import { EntryKind, Form } from "./entry.ts";
import { atMost, emptyRowStat, type RowStat, readStat, u32Max } from "./entryReader.ts";

/** All that stat(2) shows of a row. To be reused like RowStat. */
export type RowAttributes = RowStat & {
  /** Bytes of a file that are not holes; its size where only its extent pages would tell. */
  dataBytes: number;
  /** Ordinal of a directory's root page, and how many directories are below it; -1 and 0 for other kinds. */
  child: number;
  directories: number;
  /** Of a symbolic link. */
  targetBytes: number;
  /** Of a device. */
  major: number;
  minor: number;
};

/** A RowAttributes to fill. */
export function emptyRowAttributes(): RowAttributes {
  return { ...emptyRowStat(), dataBytes: 0, child: -1, directories: 0, targetBytes: 0, major: 0, minor: 0 };
}

/**
 * Fills `row` from the row at the reader's place behind its name.
 * @throws HoldfastError truncated, corrupt
 */
export function readAttributes(reader: ByteReader, row: RowAttributes): void {
  readStat(reader, row);
  row.dataBytes = row.size;
  row.child = -1;
  row.directories = row.targetBytes = row.major = row.minor = 0;
  switch (row.kind) {
    case EntryKind.file:
      if (row.size === 0) return;
      reader.skip(Width.id);
      row.dataBytes = readDataBytes(reader, row.size);
      return;
    case EntryKind.directory:
      row.child = reader.varint();
      reader.varint();
      row.directories = reader.varint();
      return;
    case EntryKind.symlink:
      row.targetBytes = reader.varint();
      return;
    case EntryKind.characterDevice:
    case EntryKind.blockDevice:
      row.major = atMost(reader.varint(), u32Max, "device number");
      row.minor = atMost(reader.varint(), u32Max, "device number");
  }
}

function readDataBytes(reader: ByteReader, size: number): number {
  const form = reader.u8();
  if (form !== Form.inline) {
    reader.varint();
    return form === Form.sparseRecord ? reader.varint() : size;
  }
  let bytes = 0;
  for (let rest = reader.varint(); rest > 0; rest--) {
    const length = reader.varint();
    if (reader.varint() === 0) continue;
    reader.varint();
    bytes += length;
  }
  return bytes;
}
