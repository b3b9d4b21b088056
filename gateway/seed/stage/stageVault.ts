// Fills one vault of a box that restores: what is left out as promised by the box itself, data, metadata, and in one transaction the snapshots.

import { join } from "node:path";
import { encodeChunkList } from "../../../vault/seed/chunkList.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import type { Gateway } from "../../gateway.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import { isHere } from "../../index/row.ts";
import type { OpenVault } from "../../openVault.ts";
import { writeFileDurably } from "../../store/files.ts";
import { ChunkPrefixes, type PrefixGroup } from "../seal/chunkPrefixes.ts";
import { type CopyPort, copyRecords } from "./copyRecords.ts";
import { type Selection, scanRows } from "./selection.ts";

/** What a vault gives to the box. */
export type StagedVault = {
  readonly vault: OpenVault;
  /** In the order of their commits. */
  readonly snapshots: readonly Snapshot[];
  readonly selection: Selection;
};

export type Staging = Pick<CopyPort, "onCopied" | "signal"> & {
  /** The datacentre. */
  readonly gateway: Gateway;
  readonly box: Gateway;
  readonly number: number;
};

/** Of records whose writer is no device any more. */
const noWriter = "00".repeat(16);

/** A run that was stopped goes on. @throws HoldfastError as copyRecords */
export async function stageVault(
  staging: Staging,
  { vault, snapshots, selection }: StagedVault,
): Promise<void> {
  const { gateway, box, number, signal, onCopied } = staging;
  const to = await box.vault(vault.id);
  await promiseLeftOut(vault, to, number, selection);
  const names = new Map(gateway.catalog.devices.list().map(({ ordinal, id }) => [ordinal, id]));
  const writerOf = (ordinal: number): string => names.get(ordinal) ?? noWriter;
  const onBoard = await recordsOnBoard(vault, to, signal);
  const port = { from: vault, to, onBoard, writerOf, signal, onCopied };
  await copyRecords(port, selection.data);
  await copyRecords(port, selection.metadata);
  for (const snapshot of snapshots) {
    const path = join(box.vaultDirectory(vault.id), "snapshots", snapshot.id);
    await writeFileDurably(path, await vault.snapshotObject(snapshot));
  }
  await to.store.closeOpenPacks();
  const owners = new Set(snapshots.map(({ item }) => item));
  const items = vault.catalog.items().filter(({ id }) => owners.has(id));
  await to.store.flush(() => {
    to.catalog.restore(items, snapshots, to.catalog.changes());
    for (const { id } of snapshots) to.waits.mark(id);
  });
  await to.waits.settle();
}

/** A run before may have left out other records: its list goes. */
async function promiseLeftOut(
  from: OpenVault,
  to: OpenVault,
  box: number,
  { leftOut }: Selection,
): Promise<void> {
  const before = to.boxes.list().find((known) => known.box === box);
  if (leftOut.size === 0 && before === undefined) return;
  const prefixes = new ChunkPrefixes(from.store.index, ({ ordinal }) => leftOut.has(ordinal));
  const groups: { group: number; count: number; prefixes: AsyncIterable<Buffer> }[] = [];
  for (const group of await prefixes.groups()) {
    groups.push({
      group: group.group,
      count: await distinct(prefixes, group),
      prefixes: prefixes.runs(group),
    });
  }
  await to.boxes.promise({ box, seal: (before?.seal ?? 0) + 1, list: encodeChunkList(groups) });
}

async function distinct(prefixes: ChunkPrefixes, group: PrefixGroup): Promise<number> {
  let bytes = 0;
  for await (const run of prefixes.runs(group)) bytes += run.length;
  return bytes / 8;
}

/** Ordinals (of `from`) of the records that a run before has copied. Memory: a bit for each record. */
async function recordsOnBoard(from: OpenVault, to: OpenVault, signal: AbortSignal): Promise<OrdinalSet> {
  const onBoard = new OrdinalSet();
  await to.store.flush(() => undefined);
  if (to.store.index.count() === 0) return onBoard;
  await scanRows(from.store.index, signal, (group, idPrefix, { ordinal }) => {
    const row = to.store.index.lookup(group, idPrefix);
    if (row !== undefined && isHere(row)) onBoard.add(ordinal);
  });
  return onBoard;
}
