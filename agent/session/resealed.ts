// What was sealed before the vault's keys were rotated, sealed anew in the newest key epoch. Ids of records do not change: S is as it was.

import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { openRecord, parseRecordHeader, sealRecord } from "../../vault/record.ts";
import { encodeSnapshot, openSnapshot } from "../../vault/snapshot.ts";

/** The record in the keys' current epoch; itself where it is in that. @throws HoldfastError as openRecord, for one that is not our own */
export function resealedRecord(keys: VaultKeys, group: number, record: Uint8Array): Uint8Array {
  const { keyEpoch, type, id } = parseRecordHeader(record);
  if (keyEpoch === keys.currentEpoch) return record;
  const { plaintext, refs } = openRecord({ keys, group, record, expectedId: id, expectedType: type });
  return sealRecord({ keys, group, type, plaintext, refs, id });
}

/** The snapshot object in the keys' current epoch: another object, so with another id. @throws HoldfastError as openSnapshot */
export function resealedSnapshot(keys: VaultKeys, object: Uint8Array): Buffer {
  const { header, body } = openSnapshot(keys, object);
  return encodeSnapshot({ keys, header, body }).bytes;
}
