// Two records at a time: proving a large one takes as long as decrypting and decompressing it, and two hashes beside each other take the time of one,
// with an engine that can (agent/platform/nativeHmac.ts).

import { startChunkId } from "./chunkId.ts";
import type { HmacEngine } from "./hmac.ts";
import {
  contentId,
  type OpenRecord,
  provenRecord,
  type RecordToOpen,
  type UnsealedRecord,
  unsealRecord,
} from "./record.ts";

/** What came of one of them. */
export type Outcome<Value> = { readonly value: Value } | { readonly error: unknown };

/** What `work` gives or throws. */
export function outcomeOf<Value>(work: () => Value): Outcome<Value> {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

/**
 * Opens two records as `openRecord` does each: what is wrong with one is its own outcome. `hmacs` works out their ids together; `engines` must give each plaintext
 * memory of its own, and `beside` is not asked.
 */
export function openRecordPair(
  wanted: readonly [RecordToOpen, RecordToOpen],
  hmacs: HmacEngine,
): [Outcome<OpenRecord>, Outcome<OpenRecord>] {
  const [one, other] = [outcomeOf(() => unsealRecord(wanted[0])), outcomeOf(() => unsealRecord(wanted[1]))];
  if ("error" in one || "error" in other) return [alone(wanted[0], one), alone(wanted[1], other)];
  const ids = [startId(wanted[0], one.value, hmacs), startId(wanted[1], other.value, hmacs)] as const;
  hmacs.both(...ids, one.value.plaintext, other.value.plaintext);
  return [
    outcomeOf(() => provenRecord(one.value, ids[0].digest())),
    outcomeOf(() => provenRecord(other.value, ids[1].digest())),
  ];
}

function startId({ keys, group }: RecordToOpen, { header }: UnsealedRecord, hmacs: HmacEngine) {
  return startChunkId(hmacs, keys.idKey(group), header.type, header.refs);
}

function alone(wanted: RecordToOpen, unsealed: Outcome<UnsealedRecord>): Outcome<OpenRecord> {
  if ("error" in unsealed) return unsealed;
  return outcomeOf(() => provenRecord(unsealed.value, contentId(wanted, unsealed.value)));
}
