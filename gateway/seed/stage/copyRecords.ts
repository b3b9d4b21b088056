// Copies chosen records, as they are, from a vault into the same vault of a box, children before parents.

import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { OpenVault } from "../../openVault.ts";
import type { ChosenRecord } from "./selection.ts";

/** Records that are read, and stored together, at a time. */
const batchBytesMax = 8 * 2 ** 20;
const batchRecordsMax = 4096;

export type CopyPort = {
  readonly from: OpenVault;
  readonly to: OpenVault;
  /** Id (32 hex digits) of the device that wrote a record, by its number. */
  readonly writerOf: (ordinal: number) => string;
  readonly signal: AbortSignal;
  readonly onCopied: (records: number, bytes: number) => void;
};

/**
 * A record that is there already is not stored again, so that a run that was stopped goes on.
 * @throws HoldfastError chunk-missing, chunk-damaged, disk-full, io-error, cancelled
 */
export async function copyRecords(port: CopyPort, records: readonly ChosenRecord[]): Promise<void> {
  // Children have lower numbers than their parents, but for those that came when a box had promised them: these wait for another pass.
  for (let left = records; left.length > 0; ) {
    const waiting = await copyPass(port, left);
    if (waiting.length === left.length) {
      throw new HoldfastError(ErrorCode.chunkMissing, "a record refers to others that are not here", {
        next: "`holdfast gateway scrub` and `holdfast seed status` tell what is missing here.",
      });
    }
    left = waiting;
  }
}

async function copyPass(port: CopyPort, records: readonly ChosenRecord[]): Promise<ChosenRecord[]> {
  const waiting: ChosenRecord[] = [];
  for (let from = 0; from < records.length; ) {
    port.signal.throwIfAborted();
    const first = records[from]!;
    let [to, bytes] = [from, 0];
    while (to < records.length && to - from < batchRecordsMax && bytes < batchBytesMax) {
      const next = records[to]!;
      if (next.group !== first.group || next.writer !== first.writer) break;
      bytes += next.length;
      to++;
    }
    const left = await copyBatch(port, first, records.slice(from, to));
    waiting.push(...left);
    port.onCopied(
      to - from - left.length,
      left.reduce((sum, { length }) => sum - length, bytes),
    );
    from = to;
  }
  return waiting;
}

async function copyBatch(
  { from, to, writerOf }: CopyPort,
  { group, writer }: ChosenRecord,
  batch: readonly ChosenRecord[],
): Promise<ChosenRecord[]> {
  const read: Buffer[] = [];
  for await (const record of from.store.read(batch)) {
    if (record instanceof HoldfastError) throw record;
    if (record === undefined) throw new Error("a record with a place was not read");
    read.push(record);
  }
  const answer = await to.admit({ id: writerOf(writer), group }, read);
  if (answer.malformed !== undefined) throw answer.malformed;
  return batch.filter((_, i) => answer.statuses[i] === RecordStatus.waits);
}
