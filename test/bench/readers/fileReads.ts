// node fileReads.ts FILE COUNT BYTES SEED: reads BYTES bytes at COUNT random places of a file, one after the other, and prints
// {"reads":N,"seconds":S,"slowest":S,"mebibytes":N} as JSON, the last being how many of the file's aligned MiB were touched. The places depend on the seed and the file's size alone and are multiples of BYTES.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { seededRandom } from "../random.ts";

const [file = "", count = "", bytes = "", seed = ""] = process.argv.slice(2);
const fd = openSync(file, "r");
const length = Number(bytes);
const blocks = Math.floor(fstatSync(fd).size / length);
const random = seededRandom(seed);
const out = Buffer.alloc(length);
const mebibytes = new Set<number>();
let slowestMs = 0;
const started = performance.now();
for (let read = 0; read < Number(count); read++) {
  const before = performance.now();
  const at = random.integer(blocks) * length;
  const got = readSync(fd, out, 0, length, at);
  if (got !== length) throw new Error(`${got} bytes instead of ${length}`);
  mebibytes.add(Math.floor(at / 2 ** 20));
  slowestMs = Math.max(slowestMs, performance.now() - before);
}
const seconds = (performance.now() - started) / 1000;
closeSync(fd);
process.stdout.write(
  `${JSON.stringify({ reads: Number(count), seconds, slowest: slowestMs / 1000, mebibytes: mebibytes.size })}
`,
);
