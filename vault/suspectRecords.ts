// Records that did not open, until they are asked for again: the next read of one compares its hash.
//
// Invariant: each is told of once.

import { toHex } from "./bytes.ts";

export class SuspectRecords {
  readonly #keys = new Set<string>();

  /** Ids are 32 bytes, vaults 32 hex digits. */
  add(vaultId: string, group: number, id: Uint8Array): void {
    this.#keys.add(keyOf(vaultId, group, id));
  }

  /** Whether any of these is one; those that are, are none from now on. */
  take(vaultId: string, group: number, ids: readonly Uint8Array[]): boolean {
    if (this.#keys.size === 0) return false;
    let any = false;
    for (const id of ids) any = this.#keys.delete(keyOf(vaultId, group, id)) || any;
    return any;
  }
}

function keyOf(vaultId: string, group: number, id: Uint8Array): string {
  return `${vaultId}/${group}/${toHex(id)}`;
}
