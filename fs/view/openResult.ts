// From what a source answered for one id to its plaintext.

import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { RecordType } from "../../vault/magic.ts";
import { openRecord, type RecordToOpen } from "../../vault/record.ts";
import type { OpenedRecord } from "./plaintextCache.ts";
import type { RecordResult } from "./ports.ts";

export type ResultToOpen = Omit<RecordToOpen, "record" | "expectedId" | "expectedType"> & {
  readonly result: RecordResult | undefined;
  readonly id: Uint8Array;
  readonly type: RecordType;
};

/**
 * Verifies and opens what a source answered for one id.
 * @throws HoldfastError chunk-missing, chunk-damaged (detail: chunk, writer when known), promised (detail: chunk, box), left-out, replica-unreachable, key-wrong, vault-locked
 */
export function openResult(wanted: ResultToOpen): OpenedRecord {
  const { result, id, type, ...rest } = wanted;
  const record = recordIn(result, id);
  try {
    return openRecord({ ...rest, record, expectedId: id, expectedType: type });
  } catch (error) {
    throw asDamage(error, id);
  }
}

/** The record, where the source had one. @throws HoldfastError chunk-missing, chunk-damaged, promised, left-out, replica-unreachable */
function recordIn(result: RecordResult | undefined, id: Uint8Array): Uint8Array {
  if (result === undefined || result.state === "missing") {
    throw new HoldfastError(ErrorCode.chunkMissing, `chunk ${toHex(id)} is not in the store`, {
      detail: { chunk: toHex(id) },
    });
  }
  if (result.state === "unavailable") {
    throw new HoldfastError(
      ErrorCode.replicaUnreachable,
      `chunk ${toHex(id)} is in a replica alone, which does not answer`,
      {
        next: "The gateway's log has the reason. It can be read again when the replica answers.",
        detail: { chunk: toHex(id) },
      },
    );
  }
  if (result.state === "promised") {
    throw new HoldfastError(
      ErrorCode.promised,
      `chunk ${toHex(id)} is on box ${result.box}, which is on its way`,
      { next: "It can be read when that box was imported.", detail: { chunk: toHex(id), box: result.box } },
    );
  }
  if (result.state === "leftOut") {
    throw new HoldfastError(
      ErrorCode.leftOut,
      `chunk ${toHex(id)} was left out of this box: the target had it when the box was made, or it was not asked for`,
      {
        next: "Restore to the target that the box was made for, or from the account's home: without --gateway.",
        detail: { chunk: toHex(id) },
      },
    );
  }
  if (result.state === "damaged") {
    const writer = result.writer === undefined ? {} : { writer: result.writer };
    throw new HoldfastError(ErrorCode.chunkDamaged, `the stored copy of chunk ${toHex(id)} is damaged`, {
      detail: { chunk: toHex(id), ...writer },
    });
  }
  return result.record;
}

/** What opening threw, as damage of the chunk where it is that. */
export function asDamage(error: unknown, id: Uint8Array): unknown {
  if (isHoldfastError(error, ErrorCode.keyWrong) || isHoldfastError(error, ErrorCode.vaultLocked))
    return error;
  if (!isHoldfastError(error)) return error;
  return new HoldfastError(ErrorCode.chunkDamaged, `chunk ${toHex(id)} is damaged: ${error.message}`, {
    detail: { chunk: toHex(id), reason: error.code },
    cause: error,
  });
}
