import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { ChunkIndex } from "../../../gateway/index/chunkIndex.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { IndexOverlay, type OverlayOptions } from "../../../gateway/index/overlay.ts";
import { PackTable } from "../../../gateway/index/packTable.ts";
import { rowFlags } from "../../../gateway/index/row.ts";
import { jsonCodec, openTable } from "../../../gateway/index/table.ts";
import { idOf, rowOf } from "./sampleRows.ts";

type Parts = { environment: IndexEnvironment; index: ChunkIndex; packs: PackTable; overlay: IndexOverlay };

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function openParts(directory: string, options: OverlayOptions = {}): Parts {
  const environment = openIndexEnvironment(directory);
  const index = new ChunkIndex(environment);
  const packs = new PackTable(environment);
  return { environment, index, packs, overlay: new IndexOverlay(index, packs, options) };
}

function newParts(options: OverlayOptions = {}): Parts {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-overlay-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const parts = openParts(directory, options);
  cleanups.push(() => parts.environment.close());
  return parts;
}

function placeOf(n: number): Omit<ReturnType<typeof rowOf>, "ordinal" | "flags"> {
  const { ordinal: _, flags: __, ...place } = rowOf(n, 0);
  return place;
}

const text = (value: string) => Buffer.from(value);

describe("IndexOverlay", () => {
  it("answers like a Map through admissions, flushes, failed flushes and crashes", async () => {
    const group = fc.nat(2);
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant("admit" as const),
          group,
          from: fc.nat(400),
          count: fc.nat(80),
        }),
      },
      { weight: 2, arbitrary: fc.constant({ do: "flush" as const }) },
      { weight: 1, arbitrary: fc.constant({ do: "fail" as const }) },
      { weight: 1, arbitrary: fc.constant({ do: "crash" as const }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        async (commands, slice) => {
          const directory = mkdtempSync(path.join(tmpdir(), "holdfast-overlay-"));
          let parts = openParts(directory, { sliceBuckets: slice });
          let flushed = new Map<string, number>();
          let all = new Map<string, number>();
          try {
            for (const command of commands) {
              if (command.do === "admit") {
                let previous: number[] = [];
                for (let n = command.from; n < command.from + command.count; n++) {
                  const key = `${command.group}:${n}`;
                  const refs = n % 10 === 9 ? previous : undefined;
                  const { ordinal, added } = parts.overlay.admit(command.group, idOf(n), placeOf(n), refs);
                  expect(added).toBe(!all.has(key));
                  if (!added) expect(ordinal).toBe(all.get(key));
                  all.set(key, ordinal);
                  previous = refs === undefined ? [...previous, ordinal] : [];
                }
              } else if (command.do === "flush") {
                await parts.overlay.flush();
                flushed = new Map(all);
                expect(parts.overlay.size).toBe(0);
                expect(parts.index.count()).toBe(all.size);
              } else if (command.do === "fail") {
                const planned = parts.overlay.flush(() => {
                  throw new Error("planned");
                });
                await expect(planned).rejects.toThrow("planned");
              } else {
                await parts.environment.close();
                parts = openParts(directory, { sliceBuckets: slice });
                // Rows of a failed flush may be there too; what was flushed must be.
                const kept = new Map<string, number>();
                for (const key of all.keys()) {
                  const [group, n] = key.split(":").map(Number) as [number, number];
                  const row = parts.overlay.lookup(group, idOf(n));
                  if (row !== undefined) kept.set(key, row.ordinal);
                }
                for (const [key, ordinal] of flushed) expect(kept.get(key)).toBe(ordinal);
                for (const [key, ordinal] of kept) expect(all.get(key)).toBe(ordinal);
                expect(parts.index.count()).toBe(kept.size);
                all = kept;
                flushed = new Map(kept);
              }
            }
            for (let group = 0; group < 3; group++) {
              const ids = Buffer.concat(Array.from({ length: 480 }, (_, n) => idOf(n)));
              const ordinals = parts.overlay.lookupBatch(group, ids).map((row) => row?.ordinal);
              expect(ordinals).toEqual(Array.from({ length: 480 }, (_, n) => all.get(`${group}:${n}`)));
            }
          } finally {
            await parts.environment.close();
            rmSync(directory, { recursive: true, force: true });
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("lands index, covered marks and the caller's changes together, or none of them", async () => {
    const { environment, packs, overlay, index } = newParts();
    const snapshots = openTable(environment, "snapshots", jsonCodec<{ root: number }>());
    const pack = packs.create("data", new Uint8Array(16));
    const { ordinal } = overlay.admit(1, idOf(1), placeOf(1));
    overlay.cover(pack, 4096);
    const failing = overlay.flush(() => {
      snapshots.put(text("s1"), { root: 1 });
      throw new Error("planned");
    });
    await expect(failing).rejects.toThrow("planned");
    expect([snapshots.get(text("s1")), packs.get(pack)?.coveredBytes, index.count()]).toEqual([
      undefined,
      0,
      0,
    ]);
    expect(overlay.lookup(1, idOf(1))?.ordinal).toBe(ordinal);
    const result = await overlay.flush(() => {
      snapshots.put(text("s1"), { root: ordinal });
      return "committed";
    });
    expect(result).toEqual({ value: "committed", added: 1, transactions: 1 });
    expect([snapshots.get(text("s1")), packs.get(pack)?.coveredBytes, index.count()]).toEqual([
      { root: 0 },
      4096,
      1,
    ]);
  });

  it("takes admissions while a flush is under way, and keeps their references", async () => {
    const { overlay, index } = newParts({ sliceBuckets: 2 });
    const admitTo = (from: number, to: number) => {
      for (let n = from; n < to; n++)
        overlay.admit(1, idOf(n), placeOf(n), n > 0 && n % 5 === 0 ? [n - 1, n - 2] : []);
    };
    admitTo(0, 3000);
    const first = overlay.flush();
    const second = overlay.flush();
    let admitted = 3000;
    let over = false;
    const watch = first.then((result) => {
      over = true;
      return result;
    });
    while (!over) {
      if (admitted < 6000) {
        admitTo(admitted, admitted + 100);
        admitted += 100;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await watch).transactions).toBeGreaterThan(2);
    await second;
    await overlay.flush();
    expect(overlay.size).toBe(0);
    expect(index.count()).toBe(admitted);
    for (let n = 0; n < admitted; n++) {
      expect(index.lookup(1, idOf(n))?.ordinal).toBe(n);
      if (n > 0 && n % 5 === 0) expect(index.refsOf(n)).toEqual([n - 1, n - 2]);
    }
  });

  it("passes a needed row's ordinal to the copy that heals it", async () => {
    const { overlay, index } = newParts();
    overlay.admit(1, idOf(1), placeOf(1));
    await overlay.flush();
    index.update(1, idOf(1), placeOf(1), { flags: rowFlags.needed });
    expect(overlay.lookup(1, idOf(1))?.flags).toBe(rowFlags.needed);
    expect(overlay.admit(1, idOf(1), { ...placeOf(1), pack: 44 })).toEqual({
      ordinal: 0,
      added: true,
      known: true,
    });
    expect(overlay.lookup(1, idOf(1))).toMatchObject({ pack: 44, flags: 0, ordinal: 0 });
    await overlay.flush();
    expect(index.lookup(1, idOf(1))).toMatchObject({ pack: 44, flags: 0, ordinal: 0 });
  });

  it("is bounded in rows, in references and in bytes for each row, and gives memory back", async () => {
    const { overlay } = newParts({ rowsMax: 100_000 });
    for (let n = 0; n < 100_000; n++) {
      expect(overlay.full).toBe(false);
      overlay.admit(n % 2, idOf(n), placeOf(n));
    }
    expect([overlay.full, overlay.wantsFlush]).toEqual([true, true]);
    expect(() => overlay.admit(1, idOf(-1), placeOf(1))).toThrow(/full/);
    expect(overlay.memoryBytes).toBeLessThan(100 * 100_000);
    await overlay.flush();
    await overlay.flush();
    expect(overlay.memoryBytes).toBeLessThan(100_000);
    const narrow = newParts({ refsBytesMax: 1000 }).overlay;
    narrow.admit(
      1,
      idOf(1),
      placeOf(1),
      Array.from({ length: 2048 }, (_, n) => n),
    );
    expect(narrow.full).toBe(true);
  });

  // A file system of its own, in a mount name space that ends with the program: nothing stays mounted.
  const unshare = spawnSync("unshare", ["-rm", "true"]).status === 0;
  it.runIf(unshare)(
    "says disk-full when there is no room, keeps every row, and goes on when there is",
    () => {
      const directory = mkdtempSync(path.join(tmpdir(), "holdfast-overlay-"));
      cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
      const program = path.join(import.meta.dirname, "diskFullProgram.ts");
      const script = 'mount -t tmpfs -o size=16m tmpfs "$1" && exec "$2" "$3" "$1"';
      const args = ["-rm", "sh", "-c", script, "sh", directory, process.execPath, program];
      const run = spawnSync("unshare", args, { encoding: "utf8" });
      expect(run.stderr).toBe("");
      const { codes, sizes, landed, scanned, after } = JSON.parse(run.stdout);
      expect(codes).toEqual(["disk-full", "disk-full"]);
      expect(sizes).toEqual([60_000, 60_000]);
      expect(landed).toBeLessThan(60_000);
      expect(scanned).toBe(landed);
      expect(after).toBe(60_000);
    },
  );
});
