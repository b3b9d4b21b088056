// First step: every pack of the manifest gets its row in the pack table, and is known to be in the replica; what each holds comes from
// index segments.
//
// Invariants
// - Rows are those of the manifest, in its order, each once. What a segment says of another pack is refused.
// - A pack's covered mark is its length exactly when all of its records are in the index; so a restore that was killed goes on with
//   the packs that are not covered.
// - Data records first: metadata records refer to them.

import { mkdir } from "node:fs/promises";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { ManifestPageType, PackKind, RecordType, Width } from "../../../vault/magic.ts";
import { openSegmentPack, parseIndexSegment, type SegmentPack } from "../../../vault/replica/indexSegment.ts";
import type { SegmentRow } from "../../../vault/replica/manifestPage.ts";
import type { PackRow } from "../../index/packTable.ts";
import { namedKey, packKey, vaultFolder } from "../keys.ts";
import type { AdmitRecords } from "./admitRecords.ts";
import { damagedObject, fetchObject, fetchRange } from "./fetchObject.ts";
import { inParallel } from "./inParallel.ts";
import type { RestoreManifest } from "./manifest.ts";
import type { RestorePort } from "./restorePort.ts";
import type { VaultTables } from "./vaultTables.ts";

/** Enters the manifest's packs. @throws HoldfastError replica-damaged when a pack is listed twice */
export async function enterPacks(
  port: RestorePort,
  manifest: RestoreManifest,
  tables: VaultTables,
): Promise<void> {
  let entered = 0;
  for await (const rows of manifest.pages(ManifestPageType.packs)) {
    tables.environment.write(() => {
      for (const { name, bytes, kind } of rows) {
        const pack = { name, bytes, kind: kind === PackKind.data ? ("data" as const) : ("meta" as const) };
        const ordinal = tables.packs.enter(pack);
        if (ordinal !== entered++) {
          throw damagedObject(packKey(port.vault, name), "is listed in another place than before, or twice");
        }
        tables.places.put(ordinal, tables.replica, { listed: true, proof: "none", provenMs: 0 });
        if (kind === PackKind.metadata) port.expect(1, bytes);
      }
    });
  }
}
