// What a whole closed pack in memory holds.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { PackKind, RecordType, Width } from "../../vault/magic.ts";
import { openTrailer, parseFooter } from "../../vault/pack/footer.ts";
import { parsePackHeader } from "../../vault/pack/packHeader.ts";
import type { TrailerRow } from "../../vault/pack/trailer.ts";
import { parseRecordHeader, type RecordHeader } from "../../vault/record.ts";

export type PackContents = {
  readonly kind: PackKind;
  /** 16 bytes. */
  readonly nonce: Buffer;
  /** In pack order. */
  readonly rows: readonly TrailerRow[];
};

/** Header, footer and trailer of a pack, held against one another. @throws HoldfastError truncated, corrupt, unsupported */
export function packContents(bytes: Buffer): PackContents {
  const { kind, nonce } = parsePackHeader(bytes);
  const footer = parseFooter(bytes, bytes.length);
  if (footer.kind !== kind || !footer.nonce.equals(nonce)) {
    throw new HoldfastError(ErrorCode.corrupt, "header and footer of a pack contradict each other");
  }
  const rows = openTrailer(footer, bytes.subarray(footer.trailerOffset, bytes.length - Width.footer));
  return { kind, nonce, rows };
}

/** A record's bytes and its clear header, held against its row in the trailer. @throws HoldfastError corrupt, truncated, unsupported */
export function packRecord(bytes: Buffer, row: TrailerRow): { record: Buffer; header: RecordHeader } {
  const record = bytes.subarray(row.offset, row.offset + row.length);
  const header = parseRecordHeader(record);
  if (!header.id.equals(row.id) || header.type !== row.type || header.recordLength !== row.length) {
    throw new HoldfastError(ErrorCode.corrupt, "a record is not what its pack's trailer says");
  }
  return { record, header };
}

/** Whether a pack of this kind may hold a record of this type. */
export function fitsKind(kind: PackKind, type: RecordType): boolean {
  return (type === RecordType.data) === (kind === PackKind.data);
}
