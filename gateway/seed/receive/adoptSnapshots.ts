// A box's snapshots become visible at its datacentre, as pending: their objects came with the manifest, their records come with the box.
//
// Invariants
// - The list of chunks counts before: what a snapshot rests on is on its way when it appears.
// - A snapshot that does not follow its item's head goes to the item's fork, an item of its own that no agent writes to.
// - It may be repeated: what is here already stays as it is.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { forkName } from "../../../ingest/wire/names.ts";
import { fromHex, isZero, toHex } from "../../../vault/bytes.ts";
import { readSnapshotList, type SeedSnapshot } from "../../../vault/seed/snapshotList.ts";
import { parseSnapshotHeader, snapshotId } from "../../../vault/snapshot.ts";
import type { ItemOwner, Snapshot } from "../../catalog/vaultCatalog.ts";
import type { OpenVault } from "../../openVault.ts";
import { writeFileDurably } from "../../store/files.ts";

export type AdoptedSnapshots = { readonly entered: number; readonly forked: number };

type Adopting = {
  readonly vault: OpenVault;
  readonly box: number;
  /** The vault's directory. */
  readonly directory: string;
  /** Of the box, by id. */
  readonly items: ReadonlyMap<string, ItemOwner>;
};

type Arriving = { readonly snapshot: Snapshot; readonly previous: string | null };

/** Snapshots that appear in one transaction. */
const snapshotsAtOnce = 200;

/** Takes in a checked list of snapshots. @throws HoldfastError disk-full, io-error; what `list` throws */
export async function adoptSnapshots(
  adopting: Adopting,
  list: AsyncIterable<Uint8Array>,
): Promise<AdoptedSnapshots> {
  let adopted: AdoptedSnapshots = { entered: 0, forked: 0 };
  let page: Arriving[] = [];
  const turn = async (): Promise<void> => {
    const { entered, forked } = await enterPage(adopting, page);
    adopted = { entered: adopted.entered + entered, forked: adopted.forked + forked };
    page = [];
  };
  for await (const row of readSnapshotList(list)) {
    const arriving = arrivingOf(row);
    if (adopting.vault.catalog.snapshot(arriving.snapshot.id) !== undefined) continue;
    const path = join(adopting.directory, "snapshots", arriving.snapshot.id);
    if (!existsSync(path)) await writeFileDurably(path, row.object);
    page.push(arriving);
    if (page.length >= snapshotsAtOnce) await turn();
  }
  await turn();
  adopting.vault.waits.settleSoon();
  return adopted;
}

function arrivingOf({ object, receivedMs }: SeedSnapshot): Arriving {
  const header = parseSnapshotHeader(object);
  const snapshot = {
    id: toHex(snapshotId(object)),
    device: toHex(header.deviceId),
    item: toHex(header.itemId),
    group: header.group,
    sequence: header.sequence,
    keyEpoch: header.keyEpoch,
    root: toHex(header.root),
    received: new Date(receivedMs).toISOString(),
    incomplete: header.flags.incomplete,
    bytes: object.length,
  };
  return { snapshot, previous: isZero(header.previous) ? null : toHex(header.previous) };
}

async function enterPage(adopting: Adopting, page: readonly Arriving[]): Promise<AdoptedSnapshots> {
  const { vault, box, items } = adopting;
  if (page.length === 0) return { entered: 0, forked: 0 };
  const { store } = vault;
  for (const { snapshot } of page) {
    const root = fromHex(snapshot.root, 32);
    // A root that is in a damaged pack is not on the list: it is the box's promise all the same, until the import settles it.
    if (store.promised.rely(snapshot.group, root)[0] === undefined) {
      store.overlay.promise(snapshot.group, root, box);
    }
  }
  return await store.flush(() => {
    let entered = 0;
    let forked = 0;
    for (const { snapshot, previous } of page) {
      const owner = items.get(snapshot.item)!;
      if (vault.catalog.enter(owner, snapshot, previous)) entered++;
      else if (vault.catalog.enterFork(forkOf(owner, box), snapshot, previous)) forked++;
      else continue;
      // Not `mark`: what it rests on may all be here, and be found wrong.
      vault.catalog.waiting.put(snapshot.id, [{ box, ordinal: null }]);
    }
    return { entered, forked };
  });
}

/** The item that takes what does not follow: the same one each time. */
function forkOf({ id, device, name }: ItemOwner, box: number): ItemOwner {
  const hash = createHash("sha256").update(`holdfast fork ${box} ${id}`).digest();
  return { id: toHex(hash.subarray(0, 16)), device, name: forkName(name, box) };
}
