// Snapshot objects (docs/format.md, section 8).
import { sha256 } from "@noble/hashes/sha2.js";
import { Cursor, hex, must, Refusal } from "./cursor.ts";
import type { Keys } from "./keys.ts";
import { aes256Ctr, recordTag, same } from "./primitives.ts";

/** A snapshot's clear header. */
export type SnapshotHeader = {
  readonly id: string;
  readonly incomplete: boolean;
  readonly epoch: number;
  readonly vaultId: string;
  readonly group: number;
  readonly device: string;
  readonly item: string;
  readonly sequence: number;
  readonly previous: string;
  readonly root: Uint8Array;
};

export type Snapshot = SnapshotHeader & {
  readonly body: {
    readonly time: string;
    readonly device: string;
    readonly item: string;
    readonly host: string;
    readonly paths: readonly string[];
    readonly files: number;
    readonly dirs: number;
    readonly others: number;
    readonly bytes: number;
    readonly warnings: number;
    readonly chunker: string;
    /** How the program ended whose output this is. */
    readonly program?: {
      readonly exit: number | null;
      readonly signal: string | null;
      readonly stopped?: string;
    };
  };
};

/** Opens a snapshot object whole. */
export function openSnapshot(object: Uint8Array, keys: Keys): Snapshot {
  const cursor = new Cursor(object, "a snapshot");
  cursor.text("HFs1");
  const version = cursor.u8();
  if (version !== 1) throw new Refusal("unsupported", `snapshot version ${version}`);
  const flags = cursor.u8();
  must(flags <= 1, `snapshot flags ${flags}`);
  cursor.zeros(2);
  const epoch = cursor.u32();
  const vaultId = cursor.bytes(16);
  const group = cursor.u32();
  const device = hex(cursor.bytes(16));
  const item = hex(cursor.bytes(16));
  const sequence = cursor.count64();
  must(sequence > 0, "sequences count from 1");
  const previous = hex(cursor.bytes(32));
  const root = cursor.bytes(32);
  const iv = cursor.bytes(16);
  const sealedLength = cursor.u32();
  const sealedAt = cursor.at;
  const ciphertext = cursor.bytes(sealedLength);
  const tag = cursor.bytes(16);
  cursor.end();
  must(same(vaultId, keys.vaultId), "a snapshot of another vault");

  const { encKey, macKey } = keys.sealKeys(epoch);
  const expected = recordTag(macKey, iv, object.subarray(0, sealedAt + sealedLength));
  must(same(expected, tag), "the snapshot's tag is wrong");
  const sealed = new Cursor(aes256Ctr(encKey, iv, ciphertext), "a snapshot's body");
  const text = sealed.bytes(sealed.u32());
  sealed.end();
  const body = JSON.parse(Buffer.from(text).toString("utf8"));
  for (const flag of body.features?.read ?? []) throw new Refusal("unsupported", `a snapshot needs ${flag}`);
  return {
    id: hex(sha256(object)),
    incomplete: flags === 1,
    epoch,
    vaultId: hex(vaultId),
    group,
    device,
    item,
    sequence,
    previous,
    root,
    body,
  };
}
