// Makes a lot of packs ready for admission: each from the first source that has it as it should be.

import { hash } from "node:crypto";
import { asBuffer } from "../../../vault/bytes.ts";
import { Width } from "../../../vault/magic.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import type { ImportedPacks } from "./importedPacks.ts";
import { inOrder } from "./inOrder.ts";
import type { LotAnswer, LotReader } from "./lotReader.ts";
import { lotBytesMax } from "./lots.ts";
import { isDamageInside } from "./packChecks.ts";
import { placeWords } from "./packedPlaces.ts";
import type { PackIntake, PackOutcome, ReadyPack } from "./packIntake.ts";
import type { PackSource } from "./packSources.ts";

export type Prepared =
  | { readonly row: SeedPackRow; readonly settled: PackOutcome }
  | { readonly row: SeedPackRow; readonly ready: ReadyPack }
  | { readonly row: SeedPackRow; readonly why: string };

export type PreparePort = {
  /** The vault's id. */
  readonly vault: string;
  readonly box: number;
  readonly imported: ImportedPacks;
  readonly intake: PackIntake;
  readonly sources: readonly PackSource[];
  readonly reader: LotReader;
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
};

/** Packs of a lot that are read one by one at a time. */
const alone = { countMax: 8, bytesMax: lotBytesMax };

/**
 * What is to become of the packs of a lot, in their order.
 * @throws HoldfastError seed-source-gone, disk-full, io-error, cancelled
 */
export async function prepareLot(port: PreparePort, lot: readonly SeedPackRow[]): Promise<Prepared[]> {
  const done = new Map<SeedPackRow, Prepared>();
  for (const row of lot) {
    const settled = port.imported.outcomeOf(port.box, row.name);
    if (settled !== undefined) done.set(row, { row, settled });
  }
  const reader = (folder: string, packs: readonly SeedPackRow[]): Promise<LotAnswer> =>
    port.reader.read(folder, packs, port.intake.epochMax);
  const missing = (): SeedPackRow[] => lot.filter((row) => !done.has(row));
  if (lot.length > 1) {
    for (const source of port.sources) {
      const wanted = missing();
      if (wanted.length === 0 || source.readLot === undefined) continue;
      port.signal.throwIfAborted();
      const found = await source.readLot(port.vault, wanted, reader);
      for (const small of packsOf(found, wanted)) {
        try {
          done.set(small.row, { row: small.row, ready: port.intake.prepareSmall(small, port.dryRun) });
        } catch (error) {
          if (!isDamageInside(error)) throw error;
        }
      }
    }
  }
  // What is not as it should be anywhere is read again, by the way that says why.
  const rest = missing();
  for await (const prepared of inOrder(
    rest,
    ({ bytes }) => bytes,
    (row) => prepareOne(port, row),
    alone,
  ))
    done.set(prepared.row, prepared);
  return lot.map((row) => done.get(row)!);
}

/** The right ones among the packs of a lot. */
function* packsOf(
  { bytes, right, places, hashes }: LotAnswer,
  rows: readonly SeedPackRow[],
): Generator<Omit<ReadyPack, "outcome" | "contents">, void, undefined> {
  let from = 0;
  for (const [i, row] of rows.entries()) {
    if (right[i] !== 1) continue;
    const to = from + row.records;
    yield {
      row,
      bytes: asBuffer(bytes),
      places: { ...places, words: places.words.subarray(from * placeWords, to * placeWords) },
      hashes: asBuffer(hashes).subarray(from * Width.recordHash, to * Width.recordHash),
    };
    from = to;
  }
}

/** A pack from the first source that has it as it should be. */
async function prepareOne(port: PreparePort, row: SeedPackRow): Promise<Prepared> {
  port.signal.throwIfAborted();
  const whys: string[] = [];
  for (const source of port.sources) {
    const found = await source.read(port.vault, row);
    let why: string;
    if ("why" in found) why = found.why;
    else if (!hash("sha256", found.bytes, "buffer").equals(row.name)) {
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
