// The program that the kill test kills: admits rows one number after the other as recovery and upload would, flushes
// every so many with a snapshot in the same transaction, and says each snapshot that became durable.
// Arguments: directory, rows for each flush, buckets for each transaction.

import { ChunkIndex } from "../../../gateway/index/chunkIndex.ts";
import { openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { IndexOverlay } from "../../../gateway/index/overlay.ts";
import { PackTable } from "../../../gateway/index/packTable.ts";
import { jsonCodec, openTable } from "../../../gateway/index/table.ts";
import { idOf, rowOf } from "./sampleRows.ts";

const [directory = "", rowsPerFlush = "", sliceBuckets = ""] = process.argv.slice(2);
const environment = openIndexEnvironment(directory);
const index = new ChunkIndex(environment);
const packs = new PackTable(environment);
const overlay = new IndexOverlay(index, packs, { sliceBuckets: Number(sliceBuckets) });
const snapshots = openTable(environment, "snapshots", jsonCodec<{ rows: number }>());
const head = Buffer.from("head");

if (packs.get(0) === undefined) packs.create("data", new Uint8Array(16));
let next = packs.get(0)?.coveredBytes ?? 0;
for (;;) {
  const end = next + Number(rowsPerFlush);
  let children: number[] = [];
  for (; next < end; next++) {
    const { ordinal: _, flags: __, ...place } = rowOf(next, 0);
    const parent = next % 10 === 9;
    const { ordinal } = overlay.admit(1, idOf(next), place, parent ? children : undefined);
    children = parent ? [] : [...children, ordinal];
  }
  overlay.cover(0, end);
  await overlay.flush(() => snapshots.put(head, { rows: end }));
  process.stdout.write(`${end}\n`);
}
