// What a gateway checks of a snapshot before it commits it. It has no key: the header is clear, the body is not.

import { isZero, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { parseSnapshotHeader, type SnapshotHeader } from "../../vault/snapshot.ts";
import { olderEpoch } from "./admission.ts";

/** The place that a session's snapshot must name; ids in hex. */
export type CommitPlace = {
  readonly vault: string;
  readonly device: string;
  readonly item: string;
  readonly group: number;
  /** Newest key epoch of the vault. */
  readonly epoch: number;
  /** The item's newest snapshot, and its number (0 for none). */
  readonly head: string | null;
  readonly sequence: number;
};

/** The previous snapshot that a header names, or null for none. */
export function previousOf(header: SnapshotHeader): string | null {
  return isZero(header.previous) ? null : toHex(header.previous);
}

/**
 * Parses and checks a snapshot object for its place.
 * @throws HoldfastError corrupt, truncated, unsupported, limit-exceeded; protocol for another vault, device, item, group or a newer epoch; keys-rotated for an older one;
 * sequence-conflict when it does not follow the item's head
 */
export function checkCommit(object: Uint8Array, place: CommitPlace): SnapshotHeader {
  const header = parseSnapshotHeader(object);
  const wrong = (what: string): HoldfastError =>
    new HoldfastError(
      ErrorCode.protocol,
      `the snapshot's header names another ${what} than its upload session`,
    );
  if (toHex(header.vaultId) !== place.vault) throw wrong("vault");
  if (toHex(header.deviceId) !== place.device) throw wrong("device");
  if (toHex(header.itemId) !== place.item) throw wrong("item");
  if (header.group !== place.group) throw wrong("group");
  if (header.keyEpoch > place.epoch) throw wrong("key epoch");
  if (header.keyEpoch < place.epoch) throw olderEpoch(header.keyEpoch, place.epoch);
  if (header.sequence !== place.sequence + 1 || previousOf(header) !== place.head) {
    throw new HoldfastError(
      ErrorCode.sequenceConflict,
      `snapshot ${header.sequence} does not follow the item's newest, ${place.sequence}`,
      {
        detail: { sequence: place.sequence },
        next: "Run the backup again: it starts from the newest state.",
      },
    );
  }
  return header;
}
