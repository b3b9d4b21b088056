// A process of its own lowers its priority: every thread has it then, those that were there and those that come later.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const platform = join(import.meta.dirname, "..", "..", "..", "agent", "platform", "priority.ts");

/** Starts a thread before and one after, and prints what the system says of each thread. */
const program = `
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
const start = () => new Promise((resolve) => {
  const worker = new Worker('import { parentPort } from "node:worker_threads"; parentPort.on("message", () => {}); parentPort.postMessage(1)', { eval: true });
  worker.once("message", () => resolve(worker));
});
const threads = () => readdirSync("/proc/self/task");
const first = await start();
const before = threads();
const { lowerPriority } = await import(${JSON.stringify(platform)});
lowerPriority();
const second = await start();
// The pool that does what is asynchronous has its threads by now as well.
await Promise.all([1, 2, 3, 4].map(() => new Promise((resolve) => randomBytes(1 << 20, resolve))));
const rows = threads().map((id) => {
  const fields = readFileSync("/proc/self/task/" + id + "/stat", "utf8").replace(/^.*\\) /s, "").split(" ");
  return { niceness: Number(fields[16]), policy: Number(fields[38]), io: execFileSync("ionice", ["-p", id], { encoding: "utf8" }).trim() };
});
console.log(JSON.stringify({ before: before.length, after: rows.length, rows }));
process.exit(0);
`;

test.skipIf(process.platform !== "linux")("all threads are low, also those of later", () => {
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  const { before, after, rows } = JSON.parse(out) as { before: number; after: number; rows: object[] };
  expect(before).toBeGreaterThan(1);
  expect(after).toBeGreaterThan(before);
  for (const row of rows) expect(row).toEqual({ niceness: 19, policy: 5, io: "idle" });
});
