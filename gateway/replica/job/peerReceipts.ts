// What a store adds whose far end is a gateway: that signs receipts itself.

import type { ReplicaStore } from "../replicaStore.ts";

/** Snapshots of one vault under one root that the far end holds. */
export type ReceiptRequest = {
  /** 32 hex digits. */
  readonly vault: string;
  /** Snapshot ids, 64 hex digits each; at most 4,096. */
  readonly snapshots: readonly string[];
  readonly generation: number;
  /** SHA-256 of the root object, hex. */
  readonly root: string;
};

export interface PeerReceipts {
  /**
   * Receipts (docs/format.md, section 11.5: two lines of text each), one for each snapshot in their order. The far end looks before it signs that it holds
   * every pack of that root.
   * @throws HoldfastError as other requests; replica-damaged when the far end does not hold what the root lists
   */
  receipts(request: ReceiptRequest, signal?: AbortSignal): Promise<string[]>;
}

/** Whether a store's far end signs receipts. */
export function signsReceipts(store: ReplicaStore): store is ReplicaStore & PeerReceipts {
  return "receipts" in store && typeof store.receipts === "function";
}
