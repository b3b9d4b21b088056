// A worker's way from a sealed record to its plaintext.

import { openResult } from "../../fs/view/recordOpener.ts";
import { asBuffer, giveBack } from "../../vault/bytes.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import type { IdTaker, OpenEngines } from "../../vault/record.ts";
import type { SentRecord } from "./messages.ts";

export type OpenContext = { readonly keys: VaultKeys; readonly group: number; readonly engines: OpenEngines };

/**
 * Hands the plaintext of a record to `use`, which must not keep it: the memory is used for the next one, or given back.
 * @param beside hashes the plaintext for something else in the pass that recomputes its id
 * @throws HoldfastError chunk-damaged
 */
export function withOpened<Result>(
  { keys, group, engines }: OpenContext,
  { id, record }: SentRecord,
  beside: IdTaker | undefined,
  use: (plaintext: Buffer) => Result,
): Result {
  const result = { state: "record", record: asBuffer(record) } as const;
  const { plaintext } = openResult({ result, keys, group, id, type: RecordType.data, beside, engines });
  try {
    return use(plaintext);
  } finally {
    if (!engines.open.keepsMemory) giveBack(plaintext);
  }
}
