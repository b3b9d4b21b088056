// The first steps of restoring a vault: its packs, and the records of its data packs.
//
// Invariants
// - Rows of packs are those of the manifest, in its order, each once. What a segment says of another pack is passed over.
// - A data pack's covered mark is its length exactly when its tail is on disk and all of its records are in the index: a restore that
//   was killed goes on with the packs that are not covered.
// - All data records have rows before metadata records are looked at, which refer to them.

import { isZero } from "../../../vault/bytes.ts";
import { ErrorCode, type HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { ManifestPageType, PackKind, RecordType, Width } from "../../../vault/magic.ts";
import { openSegmentPack, parseIndexSegment, type SegmentPack } from "../../../vault/replica/indexSegment.ts";
import type { SegmentRow } from "../../../vault/replica/manifestPage.ts";
import type { PackRow } from "../../index/packTable.ts";
import { readTailOf } from "../../store/packTails.ts";
import { namedKey, packKey, vaultFolder } from "../keys.ts";
import { damagedObject, fetchObject, fetchRange } from "./fetchObject.ts";
import { inParallel } from "./inParallel.ts";
import type { RestoreManifest } from "./manifest.ts";
import type { RecordAdmission } from "./recordAdmission.ts";
import type { RestorePort } from "./restorePort.ts";
import type { VaultTables } from "./vaultTables.ts";

/** A pack that has its name. */
export type NamedPack = PackRow & { readonly name: Uint8Array };

/** Tails that are written at a time: each waits for the disk. */
const tailsAtATime = 16;

/** Enters the manifest's packs, which the replica of this id lists. @throws HoldfastError replica-damaged */
export async function enterPacks(
  port: RestorePort,
  manifest: RestoreManifest,
  tables: VaultTables,
  replica: string,
): Promise<void> {
  let entered = 0;
  for await (const rows of manifest.pages(ManifestPageType.packs)) {
    tables.environment.write(() => {
      for (const { name, bytes, kind } of rows) {
        const ordinal = tables.packs.enter({ name, bytes, kind: kind === PackKind.data ? "data" : "meta" });
        if (ordinal !== entered++) throw damagedObject(packKey(port.vault, name), "is listed twice");
        tables.places.put(ordinal, replica, { listed: true, proof: "none", provenMs: 0 });
        if (kind === PackKind.metadata) port.expect(1, bytes);
      }
    });
  }
}

/**
 * Reads all index segments: packs get what their headers say, data packs their tails on disk and their records in the index.
 * @throws HoldfastError replica-damaged, disk-full, io-error; as ReplicaStore.getRange
 */
export async function indexDataPacks(
  port: RestorePort,
  manifest: RestoreManifest,
  tables: VaultTables,
  admission: RecordAdmission,
): Promise<void> {
  port.expect(manifest.count(ManifestPageType.segments), 0);
  for await (const rows of manifest.pages(ManifestPageType.segments)) {
    for (const row of rows) {
      try {
        await takePacks(port, tables, admission, await segment(port, row));
      } catch (error) {
        if (!isDamage(error)) throw error;
        port.tolerate(error);
      }
      port.arrived(1, row.bytes);
    }
  }
  // Whatever no segment told of is asked of the packs themselves: only where a damaged segment was gone around.
  for (const pack of tables.packs.all()) {
    if (!isZero(pack.nonce)) continue;
    const named = pack as NamedPack; // open ones are made by uploads alone, and there were none
    const key = packKey(port.vault, named.name);
    port.tolerate(damagedObject(key, "is in no index segment"));
    try {
      const tail = await readTailOf(named, (offset, length) =>
        fetchRange(port.store, key, offset, length, port.signal),
      );
      const header = tail.subarray(0, Width.packHeader);
      const rest = tail.subarray(Width.packHeader);
      await takePacks(port, tables, admission, [{ name: named.name, bytes: pack.bytes, header, tail: rest }]);
    } catch (error) {
      if (!isDamage(error)) throw error;
      port.tolerate(error);
    }
  }
}

async function segment(port: RestorePort, row: SegmentRow): Promise<SegmentPack[]> {
  const key = namedKey(vaultFolder(port.vault), "index", row.name);
  const bytes = await fetchObject(port.store, { key, bytes: row.bytes, sha256: row.name }, port.signal);
  try {
    return parseIndexSegment(bytes);
  } catch (error) {
    throw isHoldfastError(error) ? damagedObject(key, "cannot be read", error) : error;
  }
}

async function takePacks(
  port: RestorePort,
  tables: VaultTables,
  admission: RecordAdmission,
  given: readonly SegmentPack[],
): Promise<void> {
  // What the manifest does not list was doomed since the segment was written.
  const listed = given.filter(({ name }) => tables.packs.ordinalOf(name) !== undefined);
  const known = listed.map((pack) => knownPack(port, tables, pack));
  tables.environment.write(() => {
    for (const { row, nonce, records } of known) tables.packs.describe(row.ordinal, { nonce, records });
  });
  const data = known.filter(({ row }) => row.kind === "data" && row.coveredBytes < row.bytes);
  await inParallel(data, tailsAtATime, ({ row, nonce, given: { header, tail } }) =>
    tables.tails.save({ ...row, nonce }, Buffer.concat([header, tail])),
  );
  const noRefs = Buffer.alloc(0);
  for (const pack of data) {
    port.signal.throwIfAborted();
    // Opened again: rows of a whole segment would be many in memory.
    for (const record of openSegmentPack(pack.given).rows) {
      await admission.room();
      admission.admit(pack.row, record, noRefs);
    }
    tables.overlay.cover(pack.row.ordinal, pack.row.bytes);
  }
}

type KnownPack = {
  readonly given: SegmentPack;
  readonly row: NamedPack;
  readonly nonce: Uint8Array;
  readonly records: number;
};

/** Holds a segment's pack against the manifest. @throws HoldfastError replica-damaged */
function knownPack(port: RestorePort, { packs }: VaultTables, given: SegmentPack): KnownPack {
  const key = packKey(port.vault, given.name);
  const row = packs.get(packs.ordinalOf(given.name) as number) as PackRow;
  let opened: ReturnType<typeof openSegmentPack>;
  try {
    opened = openSegmentPack(given);
  } catch (error) {
    throw isHoldfastError(error) ? damagedObject(key, "has a trailer that cannot be read", error) : error;
  }
  const { kind, nonce, rows } = opened;
  const expected = kind === PackKind.data ? "data" : "meta";
  const stray = rows.some(({ type }) => (type === RecordType.data) !== (kind === PackKind.data));
  if (expected !== row.kind || given.bytes !== row.bytes || stray || isZero(nonce)) {
    throw damagedObject(key, "is another in its index segment than in the manifest");
  }
  return { given, row: { ...row, name: given.name }, nonce, records: rows.length };
}

/** Whether an error says that an object is not as it should be. */
export function isDamage(error: unknown): error is HoldfastError {
  return isHoldfastError(error, ErrorCode.replicaDamaged);
}
