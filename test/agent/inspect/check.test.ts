// `agent check`: what it finds, what it tells, and that it goes on where it was stopped.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkSnapshots } from "../../../agent/inspect/checkSnapshots.ts";
import type { CheckPort } from "../../../agent/inspect/checkTypes.ts";
import { IdSet } from "../../../agent/inspect/idSet.ts";
import { ProvenChunks } from "../../../agent/inspect/provenChunks.ts";
import { readShareOf } from "../../../agent/inspect/readShare.ts";
import { openTree } from "../../../agent/inspect/snapshotTree.ts";
import type { CatalogSnapshot } from "../../../fs/view/ports.ts";
import { createBitmap, setBit } from "../../../ingest/wire/bitmap.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../../fs/treeSpec.ts";

const MiB = 1024 * 1024;

function opened(vault: FixtureVault, row: CatalogSnapshot) {
  return openTree(vault, {
    keys: vault.keys,
    ...openSnapshot(vault.keys, vault.objects.get(row.id) as Buffer),
  });
}

class Gateway implements CheckPort {
  readonly suspects: string[] = [];
  readonly asked: string[] = [];
  readonly #vault: FixtureVault;

  constructor(vault: FixtureVault) {
    this.#vault = vault;
  }

  async exists(_vault: string, _group: number, ids: readonly Uint8Array[]): Promise<Buffer> {
    const bitmap = createBitmap(ids.length);
    for (const [index, id] of ids.entries()) {
      this.asked.push(toHex(id));
      if (this.#vault.records.has(toHex(id)) && !this.#vault.promised.has(toHex(id))) setBit(bitmap, index);
    }
    return bitmap;
  }

  /** Ends a report, as a broken connection would. */
  failing: HoldfastError | undefined;

  async suspect(_vault: string, group: number, ids: readonly Uint8Array[]) {
    if (this.failing !== undefined) throw this.failing;
    expect(group).toBe(this.#vault.group);
    this.suspects.push(...ids.map(toHex));
    return ids.map(() => "desktop");
  }
}

describe("check", () => {
  test("finds what is missing and what is damaged, names the files, and tells the gateway", async () => {
    const vault = new FixtureVault();
    const [lost, bad] = [randomBytes(MiB), randomBytes(MiB)];
    const pieces = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 5000 : randomBytes(7000)));
    const rows = {
      lost: sparseOf([lost]),
      also: sparseOf([100, lost, bad, bad]),
      good: fileOf("good"),
      pages: sparseOf(pieces),
      noted: fileOf("n", { xattrs: [{ name: Buffer.from("user.n"), value: randomBytes(4000) }] }),
    };
    const first = vault.snapshot(
      directoryOf({ ...rows, broken: directoryOf({ below: fileOf("b", { inode: 4n }) }, { inode: 5n }) }),
    );
    const second = vault.snapshot(directoryOf({ sub: directoryOf(rows) }));
    const gateway = new Gateway(vault);
    const run = (readShare: number, ownGroup = vault.group) =>
      checkSnapshots({
        source: vault,
        port: gateway,
        ownGroup,
        snapshots: [first, second].map((row) => ({ id: row.id, opened: opened(vault, row) })),
        readShare,
        proven: ProvenChunks.unkept(0),
      });
    const clean = await run(1);
    expect(clean.problems).toEqual([]);
    expect(clean.readChunks).toBe(clean.chunks);
    expect(new Set(gateway.asked).size).toBe(gateway.asked.length);
    expect((await run(0)).readChunks).toBe(0);

    const lostId = toHex(vault.put(1, lost));
    const badId = toHex(vault.put(1, bad));
    vault.records.delete(lostId);
    const flipped = Buffer.from(vault.records.get(badId) as Buffer);
    flipped[3000] = (flipped[3000] as number) ^ 1;
    vault.records.set(badId, flipped);
    const page = [...vault.records].find(([, record]) => record[5] === 3)?.[0] as string;
    vault.records.delete(page);
    const found = await run(1);
    const byChunk = Object.fromEntries(found.problems.map((problem) => [problem.chunk, problem]));
    expect(Object.keys(byChunk).sort()).toEqual([lostId, badId, page].sort());
    expect(byChunk[lostId]).toMatchObject({ kind: "data", code: "chunk-missing" });
    expect(byChunk[lostId]?.hurts.map(({ path }) => path).sort()).toEqual([
      "/also",
      "/lost",
      "/sub/also",
      "/sub/lost",
    ]);
    expect(byChunk[badId]).toMatchObject({ kind: "data", code: "chunk-damaged" });
    expect(byChunk[badId]?.hurts[0]?.snapshot).toBe(first.id);
    expect(byChunk[page]).toMatchObject({ kind: "page", code: "chunk-missing", hurts: [{ path: "/pages" }] });
    expect(gateway.suspects).toEqual([badId]);
    expect([byChunk[badId]?.writer, byChunk[lostId]?.writer]).toEqual(["desktop", undefined]);

    // Of another group only what was found is told, and a report that fails costs none of it.
    const problems = found.problems.map((problem) => ({ ...problem, writer: undefined }));
    expect(await run(1, vault.group + 1)).toMatchObject({ problems, untold: undefined });
    expect(gateway.suspects).toEqual([badId]);
    gateway.failing = new HoldfastError(ErrorCode.gatewayUnreachable, "the line broke");
    expect(await run(1)).toMatchObject({ problems, untold: gateway.failing });
  });

  test("tells what is on its way with a box from what is lost, and reports none of it", async () => {
    const vault = new FixtureVault();
    const [lost, coming] = [randomBytes(MiB), randomBytes(MiB)];
    const row = vault.snapshot(directoryOf({ lost: sparseOf([lost]), coming: sparseOf([coming]) }));
    vault.records.delete(toHex(vault.put(1, lost)));
    vault.promised.set(toHex(vault.put(1, coming)), 3);
    const gateway = new Gateway(vault);
    const { problems } = await checkSnapshots({
      source: vault,
      port: gateway,
      ownGroup: vault.group,
      snapshots: [{ id: row.id, opened: opened(vault, row) }],
      readShare: 1,
      proven: ProvenChunks.unkept(0),
    });
    const found = problems.map(({ code, hurts }) => [code, hurts.map(({ path }) => path)]);
    expect(found.sort()).toEqual([
      ["chunk-missing", ["/lost"]],
      ["promised", ["/coming"]],
    ]);
    expect(gateway.suspects).toEqual([]);
  });

  test("one that was stopped reads what it had not proven yet, and damage that it had found again", async () => {
    const state = mkdtempSync(join(tmpdir(), "holdfast-check-"));
    try {
      const vault = new FixtureVault();
      const pieces = Array.from({ length: 100 }, () => randomBytes(5000));
      const snapshot = vault.snapshot(directoryOf({ big: sparseOf(pieces) }));
      const dataIds = pieces.map((piece) => toHex(vault.put(1, piece)));
      const bad = dataIds[10] as string;
      vault.records.set(bad, Buffer.alloc(0));
      const run = async (signal?: AbortSignal) => {
        const proven = ProvenChunks.open(state, "here", "100%", 0);
        try {
          return await checkSnapshots({
            source: vault,
            port: new Gateway(vault),
            ownGroup: vault.group,
            snapshots: [{ id: snapshot.id, opened: opened(vault, snapshot) }],
            readShare: 1,
            proven,
            ...(signal === undefined ? {} : { signal }),
          });
        } finally {
          proven.close();
        }
      };
      const dataRead = () => vault.reads.splice(0).filter((id) => dataIds.includes(id));

      const stop = new AbortController();
      vault.beforeRead = () => {
        if (vault.reads.filter((id) => dataIds.includes(id)).length >= 40)
          stop.abort(new Error("stopped here"));
      };
      await expect(run(stop.signal)).rejects.toThrow("stopped here");
      const before = dataRead();
      expect(before.length).toBeGreaterThanOrEqual(40);
      expect(before).toContain(bad);

      vault.beforeRead = () => {};
      const { problems } = await run();
      expect(problems.map(({ chunk }) => chunk)).toEqual([bad]);
      const after = dataRead();
      expect(after.filter((id) => before.includes(id))).toEqual([bad]);
      expect([...new Set([...before, ...after])].sort()).toEqual(dataIds.toSorted());
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  });

  test("--read-data as a percentage or a size", () => {
    expect(readShareOf("5%", 0)).toBe(0.05);
    expect(readShareOf("1GiB", 4 * 2 ** 30)).toBe(0.25);
    expect(readShareOf("512M", 2 ** 30)).toBe(0.5);
    expect(readShareOf("1T", 5)).toBe(1);
    for (const bad of ["", "x", "101%", "5 apples", "-1"])
      expect(() => readShareOf(bad, 1)).toThrow("--read-data");
  });

  test("a set of ids knows what it has seen", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 300 }), (ids) => {
        const set = new IdSet();
        const seen = new Set<string>();
        for (const id of [...ids, ...ids]) {
          const tag = Buffer.concat([id.subarray(0, 6), Buffer.from([(id[6] as number) >> 3])]).toString(
            "hex",
          );
          const zero = tag === "00".repeat(7) ? `${"00".repeat(3)}01${"00".repeat(3)}` : tag;
          expect(set.add(id)).toBe(!seen.has(zero));
          seen.add(zero);
        }
        expect(set.size).toBe(seen.size);
      }),
    );
    const many = new IdSet();
    for (let i = 0; i < 100_000; i++) expect(many.add(randomBytes(32))).toBe(true);
    expect(many.size).toBe(100_000);
  });
});
