// What the pack store takes in and where it put it.

import type { RecordType } from "../../vault/magic.ts";

/** A sealed record that passed admission. All byte values are views that must stay until the append has settled. */
export type RecordToStore = {
  readonly record: Buffer;
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** Record type of its header. */
  readonly type: RecordType;
  readonly group: number;
  /** 16 bytes: the device that sent it. Must not be changed afterwards. */
  readonly writer: Buffer;
  /** The first 16 bytes of the record's SHA-256, where it was taken already. */
  readonly hash16?: Buffer | undefined;
};

/** Where a durable record is. */
export type Location = {
  /** Pack ordinal. */
  readonly pack: number;
  /** Offset of the record (after its frame). */
  readonly offset: number;
  readonly length: number;
};
