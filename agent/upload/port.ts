// What an upload needs of an open session at the gateway.

import type { RecordsAnswer } from "../../ingest/wire/recordStatus.ts";

export interface UploadPort {
  /** Bit i of the answer: id i is at the gateway, durable, and pinned to this session. */
  have(ids: readonly Uint8Array[]): Promise<Buffer>;
  /** Sends sealed records, children before parents; resolves when they are durable. */
  records(records: readonly Uint8Array[]): Promise<RecordsAnswer>;
  /** Sealed records by id, each memory of its own; undefined where the gateway has none or a damaged one. */
  read(ids: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>;
  /** Tells the gateway that it holds wrong bytes under these ids; answers which device wrote each, where the gateway says. */
  suspect(ids: readonly Uint8Array[]): Promise<readonly (string | undefined)[]>;
}
