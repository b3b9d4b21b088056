// What is looked at in a pack of a box before anything of it is written, on whichever thread has its bytes.

import { checkRecord } from "../../../ingest/session/admission.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import { fitsKind, type PackContents, packContents, packRecord } from "../../store/packRecords.ts";

/**
 * That a signature is right says who made a pack, not that it is one: what is inside is looked at like an upload. `epochMax`: newest key epoch
 * of the vault.
 * @throws HoldfastError corrupt, truncated, unsupported, limit-exceeded for a pack that is none inside, or another than its manifest says
 */
export function checkedContents(row: SeedPackRow, bytes: Buffer, epochMax: number): PackContents {
  const contents = packContents(bytes);
  const { kind, rows } = contents;
  if (kind !== row.kind || rows.length !== row.records || rows.some(({ type }) => !fitsKind(kind, type))) {
    throw new HoldfastError(ErrorCode.corrupt, `pack ${toHex(row.name)} is another than its manifest says`);
  }
  for (const each of rows) checkRecord(packRecord(bytes, each).record, epochMax);
  return contents;
}

/** The manifest names a pack that is none: its bytes are what was sealed, so no other source has better ones. */
export function isDamageInside(error: unknown): error is HoldfastError {
  return (
    isHoldfastError(error) && ["corrupt", "truncated", "unsupported", "limit-exceeded"].includes(error.code)
  );
}
