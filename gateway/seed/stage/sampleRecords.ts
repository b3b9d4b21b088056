// How fast chosen records can be read: a few runs of them are, so that a dry run can say how long copying takes.

import type { OpenVault } from "../../openVault.ts";
import type { ChosenRecord } from "./recordTable.ts";
import type { Selection } from "./selection.ts";

export type RecordSample = { readonly bytes: number; readonly seconds: number };

const runsMax = 8;
const runBytesMax = 8 * 2 ** 20;
const runRecordsMax = 4096;

/** Reads some of what a vault gives, spread over all of it. Null where it gives nothing. @throws what reading throws; the signal's reason */
export async function sampleRecords(
  vault: OpenVault,
  { data, metadata }: Selection,
  signal: AbortSignal,
): Promise<RecordSample | null> {
  const records = data.count > 0 ? data : metadata;
  if (records.count === 0) return null;
  const step = Math.max(1, Math.floor(records.count / runsMax));
  let bytes = 0;
  const startedMs = performance.now();
  for (let place = 0; place < runsMax && place * step < records.count; place++) {
    const start = place * step;
    signal.throwIfAborted();
    const run: ChosenRecord[] = [];
    let runBytes = 0;
    for (let next = start; next < Math.min(start + step, records.count); next++) {
      if (runBytes >= runBytesMax || run.length === runRecordsMax) break;
      const record = records.at(next);
      run.push(record);
      runBytes += record.length;
    }
    for await (const read of vault.store.read(run)) if (Buffer.isBuffer(read)) bytes += read.length;
  }
  return { bytes, seconds: (performance.now() - startedMs) / 1000 };
}
