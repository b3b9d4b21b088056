// Takes one vault's packs over from the sources of a box, in the order of the manifest (docs/seeding.md, "Import").
//
// Invariants
// - A pack is settled once, by the transaction that carries its records' rows; a run that was stopped goes on with those that are not. A pack
//   of which something had to be left out is not settled: a later run looks at it again.
// - Whatever ends a run, what it admitted by then is flushed and settled where that can be done.
// - Memory: lots that are read ahead (`ahead`, or one), those that are being stored (`storingBytesMax`, and one lot) and the one that is
//   admitted; of what waits for a flush, names alone.
// - What no source has in the form that the manifest names is left: it is promised still.

import { giveBack, toHex } from "../../../vault/bytes.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import type { OpenVault } from "../../openVault.ts";
import type { OutcomeCounts } from "./importedPacks.ts";
import { inOrder } from "./inOrder.ts";
import { LotReader } from "./lotReader.ts";
import { lotsOf } from "./lots.ts";
import type { Admitted, PackIntake, PackOutcome, ReadyPack } from "./packIntake.ts";
import type { PackSource } from "./packSources.ts";
import { type Prepared, prepareLot } from "./prepareLot.ts";

/** Lots that are read, hashed and written ahead of the one that is admitted. */
const ahead = { countMax: 4, bytesMax: 96 * 2 ** 20 };
/** What is admitted becomes durable in the index after so many bytes or packs. */
const flushBytes = 512 * 2 ** 20;
const flushPacks = 10_000;
/** Lots that are being stored together. */
const storingBytesMax = 8 * 2 ** 20;
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
  const reader = new LotReader();
  const preparing = { ...port, vault: vault.id, imported, reader, dryRun: port.dryRun === true };
  const prepare = (lot: readonly SeedPackRow[]): Promise<Prepared[]> => prepareLot(preparing, lot);
  const admitted = ({ row }: ReadyPack, { outcome, refused: leftOut }: Admitted): void => {
    refused += leftOut;
    outcomes[outcome]++;
    if (outcome !== "present") takenBytes += row.bytes;
    if (leftOut === 0) waiting.push({ name: Buffer.from(row.name), outcome });
    waitingBytes += row.bytes;
    onPack(row, outcome);
  };
  /** Lots share the store's group commits; the store keeps their order. All else begins when they are stored. */
  const store = (ready: readonly ReadyPack[]): void => {
    const all = intake.admitRecords(ready).then((each) => {
      for (const [i, pack] of ready.entries()) admitted(pack, each[i]!);
      for (const { bytes } of ready) giveBack(bytes);
    });
    all.catch(() => {});
    storing.push(all);
    for (const { row } of ready) storingBytes += row.bytes;
  };
  try {
    for await (const lot of inOrder(lotsOf(packs), bytesOf, prepare, ahead)) {
      signal.throwIfAborted();
      const ready: ReadyPack[] = [];
      for (const next of lot) {
        const { row } = next;
        if (!("settled" in next)) readBytes += row.bytes;
        if ("settled" in next) {
          outcomes[next.settled]++;
          onPack(row, next.settled);
        } else if ("why" in next) {
          left++;
          if (leftPacks.length < namedMax) leftPacks.push({ pack: toHex(row.name), why: next.why });
          onPack(row, "left");
        } else if (port.dryRun === true) {
          const { outcome } = next.ready;
          outcomes[outcome]++;
          if (outcome !== "present") takenBytes += row.bytes;
          onPack(row, outcome);
        } else ready.push(next.ready);
      }
      const [first] = ready;
      if (first?.outcome === "kept") {
        await stored();
        admitted(first, await intake.admitKept(first));
        giveBack(first.bytes);
      } else if (first !== undefined) {
        store(ready);
        if (storingBytes >= storingBytesMax) await stored();
      }
      if (waitingBytes >= flushBytes || waiting.length >= flushPacks) await flush();
    }
  } catch (error) {
    // A disk that was pulled, or a stop: what came counts. Where this fails too, what ended the run says more.
    await Promise.allSettled(storing.splice(0));
    if (waiting.length > 0) await flush().catch(() => undefined);
    throw error;
  } finally {
    await reader.close();
  }
  if (port.dryRun !== true) await flush();
  return { outcomes, takenBytes, readBytes, left, leftPacks, refused };
}

const bytesOf = (lot: readonly SeedPackRow[]): number => lot.reduce((sum, { bytes }) => sum + bytes, 0);
