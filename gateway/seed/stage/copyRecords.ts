// Copies chosen records, as they are, from a vault into the same vault of a box, children before parents.
//
// Memory: four batches of 8 MiB, and a number for each record that waits for another.

import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { OrdinalSet } from "../../index/ordinalSet.ts";
import type { OpenVault } from "../../openVault.ts";
import type { ChosenRecord, RecordTable } from "./recordTable.ts";

/** Records that are read, and stored together, at a time. */
const batchBytesMax = 8 * 2 ** 20;
const batchRecordsMax = 4096;
/** Batches that are being stored while the next is read. */
const batchesAtOnce = 3;

export type CopyPort = {
  readonly from: OpenVault;
  readonly to: OpenVault;
  /** Records that the box has already. */
  readonly onBoard: OrdinalSet;
  /** Id (32 hex digits) of the device that wrote a record, by its number. */
  readonly writerOf: (ordinal: number) => string;
  readonly signal: AbortSignal;
  readonly onCopied: (records: number, bytes: number) => void;
};

/** @throws HoldfastError chunk-missing, chunk-damaged, disk-full, io-error; the signal's reason */
export async function copyRecords(port: CopyPort, records: RecordTable): Promise<void> {
  // Children have lower numbers than their parents, but for those that came when a box had promised them: these wait for another pass.
  let waiting = await copyPass(port, records, allPlaces(records.count));
  while (waiting.length > 0) {
    const left = await copyPass(port, records, waiting);
    if (left.length === waiting.length) {
      throw new HoldfastError(ErrorCode.chunkMissing, "a record refers to others that are not here", {
        next: "`holdfast gateway scrub` and `holdfast seed status` tell what is missing here.",
      });
    }
    waiting = left;
  }
}

function* allPlaces(count: number): Generator<number> {
  for (let place = 0; place < count; place++) yield place;
}

type Batch = { readonly places: number[]; readonly records: ChosenRecord[]; bytes: number };

/** Places of the records that wait for others. */
async function copyPass(port: CopyPort, records: RecordTable, places: Iterable<number>): Promise<number[]> {
  const waiting: number[] = [];
  const underWay: Promise<void>[] = [];
  let batch: Batch = { places: [], records: [], bytes: 0 };
  const end = async (): Promise<void> => {
    const full = batch;
    batch = { places: [], records: [], bytes: 0 };
    if (full.records.length === 0) return;
    port.signal.throwIfAborted();
    const read = await readBatch(port, full.records);
    // In the order in which they were read: what comes later may rest on what is still being stored.
    const stored = storeBatch(port, full, read).then((waits) => void waiting.push(...waits));
    stored.catch(() => undefined); // awaited below
    underWay.push(stored);
    if (underWay.length >= batchesAtOnce) await underWay.shift();
  };
  try {
    for (const place of places) {
      const record = records.at(place);
      if (port.onBoard.has(record.ordinal)) {
        port.onCopied(1, record.length);
        continue;
      }
      const [first] = batch.records;
      const other = first !== undefined && (first.group !== record.group || first.writer !== record.writer);
      if (other || batch.records.length === batchRecordsMax || batch.bytes >= batchBytesMax) await end();
      batch.places.push(place);
      batch.records.push(record);
      batch.bytes += record.length;
    }
    await end();
    await Promise.all(underWay);
  } finally {
    await Promise.allSettled(underWay);
  }
  return waiting.sort((a, b) => a - b);
}

async function readBatch(port: CopyPort, batch: readonly ChosenRecord[]): Promise<Buffer[]> {
  const read: Buffer[] = [];
  for await (const record of port.from.store.read(batch)) {
    if (record instanceof HoldfastError) throw unreadable(record);
    if (record === undefined) throw new Error("a record with a place was not read");
    read.push(record);
  }
  return read;
}

/** Places of the records that wait for others. */
async function storeBatch(
  port: CopyPort,
  { places, records, bytes }: Batch,
  read: readonly Buffer[],
): Promise<number[]> {
  const { group, writer } = records[0] as ChosenRecord;
  const answer = await port.to.admit({ id: port.writerOf(writer), group }, read);
  if (answer.malformed !== undefined) throw unreadable(answer.malformed);
  const waits = [...places.keys()].filter((i) => answer.statuses[i] === RecordStatus.waits);
  const left = waits.reduce((sum, i) => sum - (records[i] as ChosenRecord).length, bytes);
  port.onCopied(records.length - waits.length, left);
  return waits.map((i) => places[i] as number);
}

function unreadable(cause: HoldfastError): HoldfastError {
  if (cause.code !== ErrorCode.chunkDamaged) return cause;
  return new HoldfastError(
    ErrorCode.chunkDamaged,
    `a record of the snapshots is damaged here: ${cause.message}`,
    {
      next: "`holdfast gateway scrub` mends it from a replica, or notes that it is lost. Then the same command goes on, and leaves out what is lost.",
      detail: cause.detail,
      cause,
    },
  );
}
