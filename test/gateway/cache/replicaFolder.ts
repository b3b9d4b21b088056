// A replica in a folder as replication leaves it, as far as packs go: objects put through the real store, places noted.

import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Catalog } from "../../../gateway/catalog/catalog.ts";
import type { PlaceProof } from "../../../gateway/index/packPlaces.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { FolderStore } from "../../../gateway/replica/folder/folderStore.ts";
import { markFolder } from "../../../gateway/replica/folder/marker.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { asBuffer, toHex } from "../../../vault/bytes.ts";

export type ReplicaFolder = { readonly id: string; readonly path: string; readonly url: string };

/** Makes a folder a replica and enters it in a catalog. */
export async function addReplicaFolder(catalog: Catalog, path: string, name: string): Promise<ReplicaFolder> {
  await markFolder(path);
  const id = toHex(randomBytes(16));
  const url = pathToFileURL(path).href;
  catalog.replicas.add({
    id,
    name,
    url,
    options: {},
    conditionalPuts: true,
    notes: [],
    writer: toHex(randomBytes(16)),
    bandwidth: "",
    schedule: "",
    parallel: 4,
    created: new Date().toISOString(),
  });
  return { id, path, url };
}

/** Puts all closed packs of a vault into a replica and notes where they are. */
export async function copyPacks(
  vault: OpenVault,
  directory: string,
  replica: ReplicaFolder,
  place: { readonly listed: boolean; readonly proof: PlaceProof } = { listed: true, proof: "none" },
): Promise<void> {
  const store = await FolderStore.open(replica.path, replica.url, true);
  for (const row of vault.store.packs.all()) {
    if (row.state !== "closed" || row.name === undefined) continue;
    const bytes = await readFile(closedPackPath(directory, row.name));
    await store.putIfAbsent(packKey(vault.id, row.name), {
      bytes: bytes.length,
      sha256: row.name,
      read: async (offset, length) => bytes.subarray(offset, offset + length),
    });
    const provenMs = place.proof === "none" ? 0 : Date.now();
    vault.store.elsewhere!.places.put(row.ordinal, replica.id, { ...place, provenMs });
  }
  await store.close();
}

/** The file of a pack in a replica. */
export function replicaPack(replica: ReplicaFolder, vault: string, name: Uint8Array): string {
  return join(replica.path, packKey(vault, asBuffer(name)));
}
