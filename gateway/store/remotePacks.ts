// What the store needs for packs whose file is not on the local disk.

import type { PackRow } from "../index/packTable.ts";

export interface RemotePacks {
  /**
   * Fills the buffers of `into`, one after the other, with the bytes of a pack from `position` on, from a copy whose bytes `accept` takes; copies with
   * others are reported.
   * @throws HoldfastError replica-unreachable, replica-refused: no copy could be asked that may be right; replica-damaged: all copies are wrong
   */
  read(pack: PackRow, into: readonly Buffer[], position: number, accept: () => boolean): Promise<void>;
  /**
   * Header, trailer and footer of a pack, from a copy all of whose bytes were compared with the pack's name.
   * @throws HoldfastError as read
   */
  tail(pack: PackRow): Promise<Uint8Array>;
}
