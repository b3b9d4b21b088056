// Notes what a root lists that this job did not know of: after a run that was killed right behind its root, after a take-over, on a new data directory.

import { ManifestPageType } from "../../../vault/magic.ts";
import type { PackPlaces, PlaceProof } from "../../index/packPlaces.ts";
import type { OpenVault } from "../../openVault.ts";
import type { Manifest } from "../chain/manifest.ts";
import type { JobState } from "./jobState.ts";
import { weaker } from "./weaker.ts";

export type ListedPort = {
  readonly vault: OpenVault;
  readonly replica: string;
  readonly job: JobState;
  readonly places: PackPlaces;
  readonly signal: AbortSignal;
};

/** Snapshots that are read in one go. */
const snapshotsAtOnce = 4096;

/**
 * Marks the packs of a manifest as listed, and its snapshots as waiting for receipts, up to this generation.
 * @throws HoldfastError replica-damaged, and what the store throws
 */
export async function noteListed(manifest: Manifest, generation: number, port: ListedPort): Promise<void> {
  const { vault, replica, job, places, signal } = port;
  const { packs, environment } = vault.store;
  let { proof } = job.row;
  for await (const rows of manifest.rows(ManifestPageType.packs, signal)) {
    environment.write(() => {
      for (const { name } of rows) {
        const ordinal = packs.ordinalOf(name);
        if (ordinal === undefined) continue;
        places.put(ordinal, replica, { listed: true, proof: "none", provenMs: 0 });
        proof = weaker(proof, places.get(ordinal, replica)?.proof ?? "none");
      }
    });
  }
  const { row } = job;
  const left = new Set<number>(row.snapshotsLeft);
  const unreceipted = new Set<string>(row.unreceipted);
  let cursor = 0;
  let last = 0;
  for (let part = vault.catalog.committedAfter(0, snapshotsAtOnce); part.length > 0; ) {
    for (const { order, snapshot } of part) {
      cursor = order;
      if (manifest.hasSnapshot(Buffer.from(snapshot.id, "hex"))) {
        last = order;
        left.delete(order);
        if (!job.hasReceipt(snapshot.id)) unreceipted.add(snapshot.id);
      } else if (order > row.snapshotCursor) left.add(order);
    }
    part = vault.catalog.committedAfter(cursor, snapshotsAtOnce);
  }
  const snapshotCursor = Math.max(row.snapshotCursor, last);
  job.change({
    generation,
    proof,
    snapshotCursor,
    // What is behind the cursor is found there.
    snapshotsLeft: [...left].filter((order) => order <= snapshotCursor),
    unreceipted: [...unreceipted],
    catalogText: "",
  });
}

/** How the packs that a replica lists and that are known here are proven at least. */
export function weakestProof(vault: OpenVault, places: PackPlaces, replica: string): PlaceProof {
  let proof: PlaceProof = "hashed";
  for (const { ordinal } of vault.store.packs.all()) {
    const place = places.get(ordinal, replica);
    if (place?.listed === true) proof = weaker(proof, place.proof);
  }
  return proof;
}
