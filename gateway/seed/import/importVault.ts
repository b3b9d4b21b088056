// Takes one vault's packs over from the sources of a box, in the order of the manifest (docs/seeding.md, "Import").
//
// Invariants
// - A pack is settled once, by the transaction that carries its records' rows; a run that was stopped goes on with those that are not. A pack
//   of which something had to be left out is not settled: a later run looks at it again.
// - Whatever ends a run, what it admitted by then is flushed and settled where that can be done.
// - Memory: packs that are read ahead (`aheadBytesMax`, or one) and the one that is admitted; of what waits for a flush, names alone.
// - What no source has in the form that the manifest names is left: it is promised still.

import { createHash } from "node:crypto";
import { toHex } from "../../../vault/bytes.ts";
import { type HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import type { OpenVault } from "../../openVault.ts";
import type { ImportedPacks, OutcomeCounts } from "./importedPacks.ts";
import { inOrder } from "./inOrder.ts";
import type { PackIntake, PackOutcome, ReadyPack } from "./packIntake.ts";
import type { PackSource } from "./packSources.ts";

/** Bytes of packs that are read, hashed and written ahead of the one that is admitted. */
const aheadBytesMax = 96 * 2 ** 20;
const aheadCountMax = 64;
/** What is admitted becomes durable in the index after so many bytes or packs. */
const flushBytes = 512 * 2 ** 20;
const flushPacks = 2000;
/** Small packs that are being stored together. */
const storingBytesMax = 16 * 2 ** 20;
const storingPacksMax = 256;
/** Packs that are named in a report; all are counted. */
const namedMax = 100;

export type LeftPack = { readonly pack: string; readonly why: string };

export type VaultImport = {
  readonly outcomes: OutcomeCounts;
  /** Bytes of packs that were kept or merged in this run. */
  readonly takenBytes: number;
  /** Bytes of packs that were looked at in this run: all that were not settled before. */
  readonly readBytes: number;
  /** Packs that no source has as they should be. */
  readonly left: number;
  /** The first of them. */
  readonly leftPacks: readonly LeftPack[];
  /** Records that were left out in this run, because what they refer to is neither here nor promised. */
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
  const { imported } = vault.boxes;
  const outcomes: OutcomeCounts = { kept: 0, merged: 0, present: 0 };
  const leftPacks: LeftPack[] = [];
  let [takenBytes, readBytes, left, refused, waitingBytes] = [0, 0, 0, 0, 0];
  let waiting: { readonly name: Uint8Array; readonly outcome: PackOutcome }[] = [];
  const storing: Promise<void>[] = [];
  let storingBytes = 0;
  const stored = async (): Promise<void> => {
    storingBytes = 0;
    await Promise.all(storing.splice(0));
  };
  const flush = async (): Promise<void> => {
    await stored();
    const settling = waiting;
    [waiting, waitingBytes] = [[], 0];
    await vault.store.flush(() => {
      for (const { name, outcome } of settling) imported.settle(box, name, outcome);
    });
    vault.waits.settleSoon();
  };
  const prepare = (row: SeedPackRow): Promise<Prepared> => prepared(port, imported, row);
  const ahead = { countMax: aheadCountMax, bytesMax: aheadBytesMax };
  try {
    for await (const next of inOrder(packs, ({ bytes }) => bytes, prepare, ahead)) {
      signal.throwIfAborted();
      const { row } = next;
      if (!("settled" in next)) readBytes += row.bytes;
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
        // Packs of one batch share the store's group commits; the store keeps their order. All else begins when they are stored.
        const shares = intake.isOneBatch(next.ready);
        if (!shares) await stored();
        const admitted = intake.admit(next.ready).then(({ refused: leftOut }) => {
          refused += leftOut;
          outcomes[outcome]++;
          if (outcome !== "present") takenBytes += row.bytes;
          if (leftOut === 0) waiting.push({ name: Buffer.from(row.name), outcome });
          waitingBytes += row.bytes;
          onPack(row, outcome);
        });
        if (!shares) await admitted;
        else {
          admitted.catch(() => {});
          storing.push(admitted);
          storingBytes += row.bytes;
          if (storingBytes >= storingBytesMax || storing.length >= storingPacksMax) await stored();
        }
        if (waitingBytes >= flushBytes || waiting.length >= flushPacks) await flush();
      }
    }
  } catch (error) {
    // A disk that was pulled, or a stop: what came counts. Where this fails too, what ended the run says more.
    await Promise.allSettled(storing.splice(0));
    if (waiting.length > 0) await flush().catch(() => undefined);
    throw error;
  }
  if (port.dryRun !== true) await flush();
  return { outcomes, takenBytes, readBytes, left, leftPacks, refused };
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
