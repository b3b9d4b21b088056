import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { ChunkIndex } from "../../../gateway/index/chunkIndex.ts";
import { openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { PackTable } from "../../../gateway/index/packTable.ts";
import type { ChunkRow } from "../../../gateway/index/row.ts";
import { jsonCodec, openTable } from "../../../gateway/index/table.ts";
import { idOf, rowOf } from "./sampleRows.ts";

const program = path.join(import.meta.dirname, "flushingProgram.ts");

/** Runs the program until some flushes were reported and a little longer, kills it; returns the last rows reported. */
async function runAndKill(directory: string, rows: number, slice: number, flushes: number, delayMs: number) {
  const child = spawn(process.execPath, [program, directory, String(rows), String(slice)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let reported = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    reported = Number(line);
    if (++seen === flushes) setTimeout(() => child.kill("SIGKILL"), delayMs);
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
  return reported;
}

/** Checks everything that must hold after a crash; returns the rows that the snapshot speaks for. */
async function check(directory: string, reported: number): Promise<{ rows: number; beyond: number }> {
  const environment = openIndexEnvironment(directory);
  try {
    const index = new ChunkIndex(environment);
    const packs = new PackTable(environment);
    const rows =
      openTable(environment, "snapshots", jsonCodec<{ rows: number }>()).get(Buffer.from("head"))?.rows ?? 0;
    expect(rows).toBeGreaterThanOrEqual(reported);
    expect(packs.get(0)?.coveredBytes).toBe(rows);
    const found = new Map<number, ChunkRow>();
    const ordinals = new Set<number>();
    index.scan(undefined, Infinity, (_, idPrefix, row) => {
      // The sample rows carry their number as offset.
      expect(Buffer.from(idPrefix).equals(idOf(row.offset).subarray(0, 16))).toBe(true);
      expect(row).toEqual(rowOf(row.offset, row.ordinal));
      expect(found.has(row.offset) || ordinals.has(row.ordinal)).toBe(false);
      found.set(row.offset, row);
      ordinals.add(row.ordinal);
    });
    expect(index.count()).toBe(found.size);
    for (let n = 0; n < rows; n++) if (!found.has(n)) throw new Error(`row ${n} of the snapshot is missing`);
    for (const [n, row] of found) {
      const expected = n % 10 === 9 ? Array.from({ length: 9 }, (_, i) => found.get(n - 9 + i)?.ordinal) : [];
      expect(index.refsOf(row.ordinal)).toEqual(expected);
      expect(expected.includes(undefined)).toBe(false);
    }
    expect(index.nextOrdinal()).toBeGreaterThan(Math.max(-1, ...[...ordinals].slice(-1)));
    return { rows, beyond: found.size - rows };
  } finally {
    await environment.close();
  }
}

describe("kill -9 between and during flushes", () => {
  it("leaves whole transactions only, with every reference there, and the next run goes on", async () => {
    const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const kills = Number(process.env.HOLDFAST_KILLS ?? 6);
    console.log(`kill test: HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const directory = mkdtempSync(path.join(tmpdir(), "holdfast-index-kill-"));
    try {
      let rows = 0;
      let partial = 0;
      for (let kill = 0; kill < kills; kill++) {
        const reported = await runAndKill(
          directory,
          1000 + random(5) * 500,
          2 + random(12),
          1 + random(3),
          random(120),
        );
        const after = await check(directory, reported);
        expect(after.rows).toBeGreaterThan(rows);
        rows = after.rows;
        if (after.beyond > 0) partial++;
      }
      console.log(
        `kill test: ${rows} rows, ${partial} of ${kills} kills inside a flush of several transactions`,
      );
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
