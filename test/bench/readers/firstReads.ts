// node firstReads.ts FILE...: opens each file, reads its first byte and prints {"slowest":S}, the longest that took in seconds, as JSON.

import { closeSync, openSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";

let slowestMs = 0;
for (const file of process.argv.slice(2)) {
  const started = performance.now();
  const fd = openSync(file, "r");
  const got = readSync(fd, Buffer.alloc(1), 0, 1, 0);
  slowestMs = Math.max(slowestMs, performance.now() - started);
  closeSync(fd);
  if (got !== 1) throw new Error(`${file} has no first byte`);
}
process.stdout.write(`${JSON.stringify({ slowest: slowestMs / 1000 })}\n`);
