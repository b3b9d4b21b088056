// Fills a small file system (its directory is the argument), flushes into it, makes room, and flushes again; prints what
// happened as JSON.

import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ChunkIndex } from "../../../gateway/index/chunkIndex.ts";
import { openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { IndexOverlay } from "../../../gateway/index/overlay.ts";
import { PackTable } from "../../../gateway/index/packTable.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { idOf, rowOf } from "./sampleRows.ts";

const directory = process.argv[2] ?? "";
const rows = 60_000;
const environment = openIndexEnvironment(path.join(directory, "index"));
const index = new ChunkIndex(environment);
const overlay = new IndexOverlay(index, new PackTable(environment), { sliceBuckets: 64 });
const ballast = path.join(directory, "ballast");
writeFileSync(ballast, Buffer.alloc(14 * 2 ** 20));

for (let n = 0; n < rows; n++) {
  const { ordinal: _, flags: __, ...place } = rowOf(n, 0);
  overlay.admit(1, idOf(n), place);
}
const codes: string[] = [];
const sizes: number[] = [];
for (let attempt = 0; attempt < 2; attempt++) {
  const error: unknown = await overlay.flush().catch((reason: unknown) => reason);
  codes.push(isHoldfastError(error) ? error.code : String(error));
  sizes.push(overlay.size);
}
const landed = index.count();
let scanned = 0;
index.scan(undefined, Number.POSITIVE_INFINITY, () => scanned++);
for (let n = 0; n < rows; n++) {
  if (overlay.lookup(1, idOf(n))?.ordinal !== n) throw new Error(`row ${n} is lost`);
}
rmSync(ballast);
await overlay.flush();
for (let n = 0; n < rows; n++)
  if (index.lookup(1, idOf(n))?.ordinal !== n) throw new Error(`row ${n} is lost`);
console.log(JSON.stringify({ codes, sizes, landed, scanned, after: index.count() }));
await environment.close();
