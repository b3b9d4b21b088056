// The agent's memory does not grow with what it backs up: many small files, one folder with very many entries, one large
// file with holes. HOLDFAST_LARGE=1 runs it at ten times the size.

import { spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const MiB = 1024 * 1024;
const scale = process.env.HOLDFAST_LARGE === "1" ? 10 : 1;
const smallFiles = 20_000 * scale;
const folders = 50;
const entriesInOne = 10_000 * scale;
const sparseBytes = 300 * MiB * scale;
const runBytes = 10 * MiB;
const memoryBytesMax = 350e6;

const launcher = fileURLToPath(new URL("../../bin/holdfast", import.meta.url));
const program = fileURLToPath(new URL("./backupMemoryProgram.ts", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "holdfast-memory-"));
const source = join(scratch, "source");

/** Runs of noise with holes of the same length between them. */
function writeSparse(path: string): void {
  const fd = openSync(path, "w");
  ftruncateSync(fd, sparseBytes);
  const noise = Buffer.alloc(runBytes);
  for (let at = 0; at < sparseBytes; at += 2 * runBytes) {
    randomFillSync(noise);
    writeSync(fd, noise, 0, noise.length, at);
  }
  closeSync(fd);
}

beforeAll(() => {
  for (let folder = 0; folder < folders; folder++) {
    mkdirSync(join(source, `d${folder}`), { recursive: true });
    for (let file = 0; file < smallFiles / folders; file++) {
      writeFileSync(join(source, `d${folder}`, `file-${file}`), `tiny ${folder} ${file}\n`.repeat(file % 40));
    }
  }
  mkdirSync(join(source, "many"));
  for (let entry = 0; entry < entriesInOne; entry++)
    writeFileSync(join(source, "many", `entry-${entry}`), `${entry}`);
  writeSparse(join(source, "sparse"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Anonymous and shared memory of a process in bytes; 0 when it is gone. */
function memoryOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const kiB = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
    return (kiB("RssAnon") + kiB("RssShmem")) * 1024;
  } catch {
    return 0;
  }
}

test("a backup stays within its memory", async () => {
  // As bin/holdfast starts Node.
  const flags = /--max\S+/.exec(readFileSync(launcher, "utf8"))?.[0] ?? "";
  const child = spawn(process.execPath, [flags, program, source, join(scratch, "cache.pages")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, memoryOf(child.pid ?? 0));
  }, 20);
  try {
    const said = text(child.stdout);
    expect(await once(child, "exit")).toEqual([0, null]);
    const outcome = JSON.parse(await said) as { counts: { files: number; bytes: number } };
    expect(outcome.counts.files).toBe(smallFiles + entriesInOne + 1);
    expect(outcome.counts.bytes).toBeGreaterThan(sparseBytes);
  } finally {
    clearInterval(sampling);
    child.kill("SIGKILL");
  }
  console.log(`the agent's memory peaked at ${(peak / 1e6).toFixed(0)} MB`);
  expect(peak).toBeGreaterThan(50e6);
  expect(peak).toBeLessThan(memoryBytesMax);
});
