// node fileReads.ts FILE COUNT BYTES SEED: reads BYTES bytes at COUNT random places of a file, one after the other, and prints
// {"reads":N,"seconds":S,"slowest":S} as JSON. The places depend on the seed and the file's size alone and are multiples of BYTES.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { seededRandom } from "../random.ts";

const [file = "", count = "", bytes = "", seed = ""] = process.argv.slice(2);
const fd = openSync(file, "r");
const length = Number(bytes);
const blocks = Math.floor(fstatSync(fd).size / length);
const random = seededRandom(seed);
const out = Buffer.alloc(length);
let slowestMs = 0;
const started = performance.now();
for (let read = 0; read < Number(count); read++) {
  const before = performance.now();
  const got = readSync(fd, out, 0, length, random.integer(blocks) * length);
  if (got !== length) throw new Error(`${got} bytes instead of ${length}`);
  slowestMs = Math.max(slowestMs, performance.now() - before);
}
const seconds = (performance.now() - started) / 1000;
closeSync(fd);
process.stdout.write(`${JSON.stringify({ reads: Number(count), seconds, slowest: slowestMs / 1000 })}\n`);
