// Metadata packs come back whole, since they are never evicted. A record of them that refers to one that came after this root was never reached
// by a snapshot of it: it gets no row, as at the recovery of an open pack.

import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isHoldfastError } from "../../../vault/errors.ts";
import { makeFolderDurably } from "../../store/files.ts";
import { closedPackFolder, closedPackPath } from "../../store/packPaths.ts";
import { packContents, packRecord } from "../../store/packRecords.ts";
import { packKey } from "../keys.ts";
import { type MetadataRecord, type MetadataSource, metadataPacks } from "./admitMetadata.ts";
import { damagedObject, fetchToFile } from "./fetchObject.ts";
import { isDamage, type NamedPack } from "./indexPacks.ts";
import { inParallel } from "./inParallel.ts";
import type { RestorePort } from "./restorePort.ts";
import type { VaultTables } from "./vaultTables.ts";

/**
 * Brings the metadata packs that are not here, which proves their copies in the replica of this id. A file under its name is whole: it got the name
 * when it was durable.
 * @throws HoldfastError replica-damaged, disk-full, io-error; as ReplicaStore.getRange
 */
export async function fetchMetadataPacks(
  port: RestorePort,
  tables: VaultTables,
  replica: string,
): Promise<void> {
  const { directory, store, signal } = port;
  await makeFolderDurably(join(directory, "packs"));
  await inParallel(metadataPacks(tables), port.parallel, async (pack) => {
    const path = closedPackPath(directory, pack.name);
    if (existsSync(path) && statSync(path).size === pack.bytes) port.arrived(1, pack.bytes);
    else {
      await makeFolderDurably(closedPackFolder(directory, pack.name));
      const key = packKey(port.vault, pack.name);
      const arrived = (bytes: number): void => port.arrived(0, bytes);
      try {
        const expected = { key, bytes: pack.bytes, sha256: pack.name };
        await fetchToFile(store, expected, path, { signal, arrived });
      } catch (error) {
        if (!isDamage(error)) throw error;
        return port.tolerate(error);
      }
      port.arrived(1, 0);
    }
    if (pack.state === "closed") return;
    const { mtimeMs } = statSync(path);
    tables.places.write(() => {
      tables.packs.setState(pack.ordinal, "closed");
      tables.places.hashed(pack.ordinal, replica, mtimeMs);
    });
  });
}

/** The records of metadata packs that are here. @throws HoldfastError replica-damaged, while they are read */
export function fetchedMetadata({ directory, vault, signal }: RestorePort): MetadataSource {
  const records = async (pack: NamedPack): Promise<Iterable<MetadataRecord>> =>
    recordsOf(await readFile(closedPackPath(directory, pack.name)), packKey(vault, pack.name));
  return { signal, records };
}

/** The records of a whole pack, with their references. @throws HoldfastError replica-damaged */
function* recordsOf(bytes: Buffer, key: string): Generator<MetadataRecord> {
  try {
    for (const row of packContents(bytes).rows) yield { row, refs: packRecord(bytes, row).header.refs };
  } catch (error) {
    throw isHoldfastError(error) ? damagedObject(key, "cannot be read", error) : error;
  }
}
