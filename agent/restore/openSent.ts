// A worker's way from a sealed record to its plaintext.

import { openResult } from "../../fs/view/recordOpener.ts";
import { asBuffer, giveBack } from "../../vault/bytes.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import type { IdTaker } from "../../vault/record.ts";
import type { SentRecord } from "./messages.ts";

export type OpenContext = { readonly keys: VaultKeys; readonly group: number };

/**
 * The plaintext of a record that was sent along, whose memory is given back: it cannot be opened again.
 * @param beside hashes the plaintext for something else in the pass that recomputes its id
 * @throws HoldfastError chunk-damaged
 */
export function openSent({ keys, group }: OpenContext, { id, record }: SentRecord, beside?: IdTaker): Buffer {
  const result = { state: "record", record: asBuffer(record) } as const;
  try {
    return openResult({ result, keys, group, id, type: RecordType.data, beside }).plaintext;
  } finally {
    giveBack(record);
  }
}
