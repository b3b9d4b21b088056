// Takes one vault's packs over from the sources of a box, in the order of the manifest (docs/seeding.md, "Import").
//
// Invariants
// - A pack is settled once, by the transaction that carries its records' rows; a run that was stopped goes on with those that are not.
// - What no source has in the form that the manifest names is left: it is promised still.

import { createHash } from "node:crypto";
import { toHex } from "../../../vault/bytes.ts";
import { type HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import type { OpenVault } from "../../openVault.ts";
import { ImportedPacks, type OutcomeCounts } from "./importedPacks.ts";
import { inOrder } from "./inOrder.ts";
import type { PackIntake, PackOutcome, ReadyPack } from "./packIntake.ts";
import type { PackSource } from "./packSources.ts";

/** Bytes of packs that are read, hashed and written ahead of the one that is admitted. */
const aheadBytesMax = 96 * 2 ** 20;
const aheadCountMax = 64;
/** What is admitted becomes durable in the index after so many bytes or packs. */
const flushBytes = 512 * 2 ** 20;
const flushPacks = 2000;
/** Packs that are named in a report; all are counted. */
const namedMax = 100;

export type LeftPack = { readonly pack: string; readonly why: string };

export type VaultImport = {
  readonly outcomes: OutcomeCounts;
  /** Bytes of packs that were kept or merged in this run. */
  readonly takenBytes: number;
  /** Packs that no source has as they should be. */
  readonly left: number;
  /** The first of them. */
  readonly leftPacks: readonly LeftPack[];
  /** Records that were left out, because what they refer to is neither here nor promised. */
  readonly refused: number;
};

export type VaultImportPort = {
  readonly vault: OpenVault;
  readonly box: number;
  readonly intake: PackIntake;
  readonly sources: readonly PackSource[];
  readonly packs: AsyncIterable<SeedPackRow>;
  readonly signal: AbortSignal;
  /** Only look what would be taken: everything is read and compared, nothing is written. */
  readonly dryRun?: boolean;
  /** After each pack: it is done with, for good or for now. */
  readonly onPack: (pack: SeedPackRow, outcome: PackOutcome | "left") => void;
};

type Prepared =
  | { readonly row: SeedPackRow; readonly settled: PackOutcome }
  | { readonly row: SeedPackRow; readonly ready: ReadyPack }
  | { readonly row: SeedPackRow; readonly why: string };

/**
 * @throws HoldfastError seed-source-gone, disk-full, io-error, cancelled: what was flushed by then counts
 */
export async function importVault(port: VaultImportPort): Promise<VaultImport> {
  const { vault, box, intake, packs, signal, onPack } = port;
  const imported = new ImportedPacks(vault.store.environment);
  const outcomes: OutcomeCounts = { kept: 0, merged: 0, present: 0 };
  const leftPacks: LeftPack[] = [];
  let [takenBytes, left, refused, waitingBytes] = [0, 0, 0, 0];
  let waiting: ReadyPack[] = [];
  const flush = async (): Promise<void> => {
    const settling = waiting;
    [waiting, waitingBytes] = [[], 0];
    await vault.store.flush(() => {
      for (const { row, outcome } of settling) imported.settle(box, row.name, outcome);
    });
    vault.waits.settleSoon();
  };
  const prepare = (row: SeedPackRow): Promise<Prepared> => prepared(port, imported, row);
  const ahead = { countMax: aheadCountMax, bytesMax: aheadBytesMax };
  for await (const next of inOrder(packs, ({ bytes }) => bytes, prepare, ahead)) {
    signal.throwIfAborted();
    const { row } = next;
    if ("settled" in next) {
      outcomes[next.settled]++;
      onPack(row, next.settled);
    } else if ("why" in next) {
      left++;
      if (leftPacks.length < namedMax) leftPacks.push({ pack: toHex(row.name), why: next.why });
      onPack(row, "left");
    } else {
      const { outcome } = next.ready;
      if (port.dryRun === true) {
        outcomes[outcome]++;
        if (outcome !== "present") takenBytes += row.bytes;
        onPack(row, outcome);
        continue;
      }
      refused += (await intake.admit(next.ready)).refused;
      outcomes[outcome]++;
      if (outcome !== "present") takenBytes += row.bytes;
      // Its bytes are done with; rows and outcome wait for the flush.
      waiting.push({ ...next.ready, bytes: Buffer.alloc(0), rows: [] });
      waitingBytes += row.bytes;
      onPack(row, outcome);
      if (waitingBytes >= flushBytes || waiting.length >= flushPacks) await flush();
    }
  }
  if (port.dryRun !== true) await flush();
  return { outcomes, takenBytes, left, leftPacks, refused };
}

/** A pack from the first source that has it as it should be. */
async function prepared(port: VaultImportPort, imported: ImportedPacks, row: SeedPackRow): Promise<Prepared> {
  const settled = imported.outcomeOf(port.box, row.name);
  if (settled !== undefined) return { row, settled };
  port.signal.throwIfAborted();
  const whys: string[] = [];
  for (const source of port.sources) {
    const found = await source.read(port.vault.id, row);
    let why: string;
    if ("why" in found) why = found.why;
    else if (!createHash("sha256").update(found.bytes).digest().equals(row.name)) {
      why = "its bytes have another hash than its name";
    } else {
      try {
        return { row, ready: await port.intake.prepare(row, found.bytes, port.dryRun) };
      } catch (error) {
        if (!isDamageInside(error)) throw error;
        why = error.message;
      }
    }
    whys.push(`${source.name}: ${why}`);
  }
  return { row, why: whys.join("; ") };
}

/** The manifest names a pack that is none: its bytes are what was sealed, so no other source has better ones. */
function isDamageInside(error: unknown): error is HoldfastError {
  return isHoldfastError(error) && ["corrupt", "truncated", "unsupported"].includes(error.code);
}
