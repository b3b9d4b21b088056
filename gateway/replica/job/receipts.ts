// Receipts of snapshots that a root lists: from the far gateway, or signed here when every pack is proven.

import { fromHex } from "../../../vault/bytes.ts";
import { gatewayReceiptSeed, ReceiptSigner } from "../../../vault/replica/receipt.ts";
import type { GatewayIdentity } from "../../dataDir.ts";
import type { FoundRoot } from "../chain/rootChain.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import type { JobRow } from "./jobState.ts";

export type ReceiptPort = {
  readonly identity: GatewayIdentity;
  readonly store: ReplicaStore;
  /** Id of the replica. */
  readonly replica: string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
};

/** Snapshots of one request to a far gateway. */
const askedAtOnce = 256;

/**
 * Receipts for snapshots (64 hex digits each) under a committed root, by snapshot. `proof`: how its packs are proven at least. None where a pack is not
 * proven and the far end does not sign.
 * @throws HoldfastError replica-damaged when the far end lacks packs; what the store throws
 */
export async function receiptsFor(
  snapshots: readonly string[],
  { root, hash }: FoundRoot<"vault">,
  proof: JobRow["proof"],
  { identity, store, replica, now, signal }: ReceiptPort,
): Promise<Map<string, string>> {
  const receipts = new Map<string, string>();
  const { id: vault, generation, merkle, packs, packBytes } = root;
  if (store.receipts !== undefined) {
    for (let at = 0; at < snapshots.length; at += askedAtOnce) {
      const asked = snapshots.slice(at, at + askedAtOnce);
      const signed = await store.receipts(
        { vault, replica, generation, root: hash, snapshots: asked },
        signal,
      );
      for (const [i, text] of signed.entries()) receipts.set(asked[i]!, text);
    }
    return receipts;
  }
  if (proof === "none") return receipts;
  const secret = Buffer.from(identity.secret, "base64");
  const signer = new ReceiptSigner(gatewayReceiptSeed(secret, fromHex(identity.id, 16)));
  const time = now().toISOString();
  // A folder's bytes were read back and hashed; other places compared their checksums with ours.
  const how = store.kind === "folder" && proof === "hashed" ? "read-back" : "checksum";
  for (const snapshot of snapshots) {
    const facts = { vault, snapshot, replica, generation, root: hash, merkle, packs, packBytes };
    receipts.set(snapshot, signer.sign({ ...facts, proof: how, time }).toString("latin1"));
  }
  return receipts;
}
