// What left the vault leaves the replica: which of it the next root may doom (docs/concurrency.md, "Garbage collection").
//
// Invariants
// - Only what left here is doomed, and what the manifest lists.
// - Packs are doomed only when the copies of what lived in them are listed, behind the snapshots that needed them, and when the manifest lists
//   no snapshot that this catalog does not know: another gateway's may need them.

import { toHex } from "../../../vault/bytes.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import { type GoneObject, GoneObjects } from "../../index/goneObjects.ts";
import type { Manifest } from "../chain/manifest.ts";
import type { RunContext } from "./runContext.ts";
import { unlistedPacks } from "./unlistedPacks.ts";

/** Objects that one root dooms. */
const atOnce = 1024;

type Port = Pick<RunContext, "vault" | "replica" | "job" | "gateway" | "signal">;

/**
 * The next objects to doom, none where there are none or they have to wait. What no root lists is forgotten.
 * @throws HoldfastError replica-damaged, and what the store throws
 */
export async function nextGone(port: Port, manifest: Manifest): Promise<readonly GoneObject[]> {
  const { vault, replica } = port;
  const gone = new GoneObjects(vault.store.environment);
  const snapshots = gone.of(replica.id, 2, atOnce);
  const listed = listedOnly(port, snapshots, (name) => manifest.hasSnapshot(name));
  if (snapshots.length === atOnce || listed.length > 0) return listed;
  const packs = gone.of(replica.id, 1, atOnce);
  if (packs.length === 0 || unlistedPacks(vault.store, port.job.row).length > 0) return [];
  if (await hasStrangers(port, manifest)) return [];
  return listedOnly(port, packs, (name) => manifest.hasPack(name));
}

function listedOnly(
  { vault, replica }: Port,
  objects: readonly GoneObject[],
  isListed: (name: Uint8Array) => boolean,
): GoneObject[] {
  const listed = objects.filter(({ name }) => isListed(name));
  if (listed.length < objects.length) {
    const gone = new GoneObjects(vault.store.environment);
    vault.store.environment.write(() => {
      for (const object of objects) if (!isListed(object.name)) gone.remove(replica.id, object);
    });
  }
  return listed;
}

/** Whether the manifest lists snapshots that this catalog does not know. */
async function hasStrangers({ vault, replica, gateway, signal }: Port, manifest: Manifest): Promise<boolean> {
  for await (const rows of manifest.rows(ManifestPageType.snapshots, signal)) {
    const stranger = rows.find(({ id }) => vault.catalog.snapshot(toHex(id)) === undefined);
    if (stranger === undefined) continue;
    const facts = { vault: vault.id, replica: replica.name, snapshot: toHex(stranger.id) };
    gateway.logger.warn(facts, "packs-stay-for-unknown-snapshots");
    return true;
  }
  return false;
}
