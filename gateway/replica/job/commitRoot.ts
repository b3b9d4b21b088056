// Documents, manifest pages and the root, and then, in one transaction, what this vault knows of it.

import { fromHex } from "../../../vault/bytes.ts";
import { DoomedClass, PackKind } from "../../../vault/magic.ts";
import type { SegmentRow } from "../../../vault/replica/manifestPage.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { type GoneObject, GoneObjects } from "../../index/goneObjects.ts";
import type { Manifest } from "../chain/manifest.ts";
import type { ManifestChanges } from "../chain/manifestState.ts";
import { putDocuments } from "./documents.ts";
import type { JobRow } from "./jobState.ts";
import type { PendingPack } from "./pendingPacks.ts";
import type { RunContext, VaultRootFound } from "./runContext.ts";
import { weaker } from "./weaker.ts";
import type { JoinedSegments } from "./writeSegments.ts";

/** What the next root adds. */
export type RootChanges = {
  readonly packs: readonly PendingPack[];
  readonly segments: readonly SegmentRow[];
  readonly joined: JoinedSegments;
  readonly snapshots: readonly Snapshot[];
  /** What left the vault and is listed. */
  readonly gone: readonly GoneObject[];
  /** Members of the job's row that change with it. */
  readonly job: Partial<JobRow>;
};

/**
 * Commits the next root behind `before`. Undefined: an earlier try of ours stands in its place; what it lists must be noted first.
 * @throws HoldfastError replica-fenced, replica-refused, rollback-detected, what the store throws
 */
export async function commitRoot(
  context: RunContext,
  manifest: Manifest,
  before: VaultRootFound | undefined,
  changes: RootChanges,
): Promise<VaultRootFound | undefined> {
  const { vault, directory, metadataKey, store, putOptions, job, chain, takeOver, signal } = context;
  const root = before?.root;
  const { catalogText } = job.row;
  const documents = await putDocuments(
    { vault, directory, metadataKey, store, options: putOptions },
    { root, catalogText },
  );
  const { catalog } = documents.named;
  const replaced = root !== undefined && root.catalog.sha256 !== catalog.sha256;
  const generation = (root?.generation ?? 0) + 1;
  const next = await manifest.next(
    generation,
    manifestChanges(changes, replaced ? [Buffer.from(root.catalog.sha256, "hex")] : []),
    signal,
  );
  await manifest.put(next, putOptions);
  const { outcome, found } = await chain.append(
    { ...documents.named, ...next.summary },
    { takeOver, signal },
  );
  if (outcome === "overtaken") return undefined;
  manifest.committed(next);
  note(context, found, changes, documents);
  return found;
}

function manifestChanges(
  { packs, segments, joined, snapshots, gone }: RootChanges,
  catalogs: readonly Buffer[],
): ManifestChanges {
  return {
    packs: packs.map(({ name, row }) => ({
      name,
      bytes: row.bytes,
      kind: row.kind === "data" ? PackKind.data : PackKind.metadata,
    })),
    snapshots: snapshots.map(({ id, received, bytes }) => ({
      id: Buffer.from(id, "hex"),
      receivedMs: Date.parse(received),
      bytes,
    })),
    segments: [...segments, ...joined.made],
    doom: [
      ...gone.map(({ name, kind }) => ({ name, class: kind })),
      ...joined.gone.map(({ name }) => ({ name, class: DoomedClass.segment })),
      ...catalogs.map((name) => ({ name, class: DoomedClass.catalog })),
    ],
  };
}

function note(
  { vault, replica, job, places, fresh }: RunContext,
  { root }: VaultRootFound,
  changes: RootChanges,
  documents: Pick<JobRow, "catalogText" | "keysGeneration">,
): void {
  const { environment, packs } = vault.store;
  const left = new GoneObjects(environment);
  environment.write(() => {
    let { proof } = job.row;
    for (const { ordinal, name } of changes.packs) {
      if (packs.get(ordinal) === undefined) {
        // It left while it was sent.
        places.forgetPack(ordinal);
        left.add(replica.id, 1, name);
        continue;
      }
      places.put(ordinal, replica.id, { listed: true, proof: "none", provenMs: 0 });
      proof = weaker(proof, places.get(ordinal, replica.id)?.proof ?? "none");
    }
    const stay = changes.snapshots.filter(({ id }) => vault.catalog.snapshot(id) !== undefined);
    for (const { id } of changes.snapshots) {
      if (vault.catalog.snapshot(id) === undefined) left.add(replica.id, 2, fromHex(id, 32));
    }
    for (const gone of changes.gone) left.remove(replica.id, gone);
    job.change({
      ...changes.job,
      generation: root.generation,
      proof,
      catalogText: documents.catalogText,
      keysGeneration: documents.keysGeneration,
      unreceipted: [...job.row.unreceipted, ...stay.map(({ id }) => id)],
    });
  });
  for (const { ordinal } of changes.packs) fresh.delete(ordinal);
}
