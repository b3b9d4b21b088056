// Metadata packs come back whole, since they are never evicted, and their records get rows: children before parents.
//
// Packs hold records in the order in which they were admitted, and the manifest lists packs in the order of their arrival, so that
// one pass does. Where a pack was written anew later, its records wait for a further pass. A record that refers to one that came
// after this root was never reached by a snapshot of it: it gets no row, as at the recovery of an open pack.

import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isHoldfastError } from "../../../vault/errors.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import { makeFolderDurably } from "../../store/files.ts";
import { closedPackFolder, closedPackPath } from "../../store/packPaths.ts";
import { packContents, packRecord } from "../../store/packRecords.ts";
import { packKey } from "../keys.ts";
import { damagedObject, fetchToFile } from "./fetchObject.ts";
import { isDamage, type NamedPack } from "./indexPacks.ts";
import { inParallel } from "./inParallel.ts";
import type { RecordAdmission } from "./recordAdmission.ts";
import type { RestorePort } from "./restorePort.ts";
import type { VaultTables } from "./vaultTables.ts";

function* metadataPacks({ packs }: VaultTables): Generator<NamedPack> {
  for (const pack of packs.all()) if (pack.kind === "meta") yield pack as NamedPack;
}

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

/**
 * Gives the records of all metadata packs that are here their rows. Answers the packs with records that refer to some that are not.
 * @throws HoldfastError replica-damaged, disk-full, io-error
 */
export async function admitMetadata(
  port: RestorePort,
  tables: VaultTables,
  admission: RecordAdmission,
): Promise<number[]> {
  let waiting: number[] = [];
  for (const pack of metadataPacks(tables)) {
    if (pack.state === "closed" && pack.coveredBytes < pack.bytes) waiting.push(pack.ordinal);
  }
  for (let progress = true; progress && waiting.length > 0; ) {
    progress = false;
    const left: number[] = [];
    for (const ordinal of waiting) {
      const pack = tables.packs.get(ordinal) as NamedPack;
      const { added, refused } = await admitPack(port, pack, admission, false);
      progress ||= added > 0;
      if (refused > 0) left.push(ordinal);
      else tables.overlay.cover(ordinal, pack.bytes);
    }
    waiting = left;
  }
  return waiting;
}

/** Ends the waiting for records that are nowhere: `standIn` gives them flagged rows, else what refers to them is left out. */
export async function settleWaiting(
  port: RestorePort,
  tables: VaultTables,
  admission: RecordAdmission,
  waiting: readonly number[],
  standIn: boolean,
): Promise<void> {
  const packs = waiting.map((ordinal) => tables.packs.get(ordinal) as NamedPack);
  if (standIn) for (const pack of packs) await admitPack(port, pack, admission, true);
  for (const pack of packs) tables.overlay.cover(pack.ordinal, pack.bytes);
}

async function admitPack(
  port: RestorePort,
  pack: NamedPack,
  admission: RecordAdmission,
  standIn: boolean,
): Promise<{ added: number; refused: number }> {
  port.signal.throwIfAborted();
  const bytes = await readFile(closedPackPath(port.directory, pack.name));
  let added = 0;
  let refused = 0;
  for (const { row, refs } of recordsOf(bytes, packKey(port.vault, pack.name))) {
    await admission.room();
    let outcome = admission.admit(pack, row, refs);
    if (!outcome.here && standIn) {
      admission.standIn(row.group, refs);
      outcome = admission.admit(pack, row, refs);
    }
    if (outcome.added) added++;
    if (!outcome.here) refused++;
  }
  return { added, refused };
}

/** The records of a whole pack, with their references. @throws HoldfastError replica-damaged */
function* recordsOf(bytes: Buffer, key: string): Generator<{ row: TrailerRow; refs: Buffer }> {
  try {
    for (const row of packContents(bytes).rows) yield { row, refs: packRecord(bytes, row).header.refs };
  } catch (error) {
    throw isHoldfastError(error) ? damagedObject(key, "cannot be read", error) : error;
  }
}
