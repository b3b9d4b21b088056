// A worker's way from a sealed record to its plaintext, and back to no memory at all.

import { openResult } from "../../fs/view/recordOpener.ts";
import { asBuffer } from "../../vault/bytes.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import type { SentRecord } from "./messages.ts";

export type OpenContext = { readonly keys: VaultKeys; readonly group: number };

/** The plaintext of a record that was sent along, whose memory is given back: it cannot be opened again. @throws HoldfastError chunk-damaged */
export function openSent({ keys, group }: OpenContext, { id, record }: SentRecord): Buffer {
  const result = { state: "record", record: asBuffer(record) } as const;
  try {
    return openResult({ result, keys, group, id, type: RecordType.data }).plaintext;
  } finally {
    giveBack(record);
  }
}

/**
 * Gives the memory of a record or a plaintext back at once. V8 would collect the whole heap again and again for buffers that pile up
 * beside it. The bytes are gone afterwards.
 */
export function giveBack({ buffer }: Uint8Array): void {
  // Small buffers share a pool with others.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}
