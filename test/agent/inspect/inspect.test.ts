import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CheckPort, checkSnapshots, readShareOf } from "../../../agent/inspect/checkSnapshots.ts";
import { diffSnapshots } from "../../../agent/inspect/diffSnapshots.ts";
import { timeText } from "../../../agent/inspect/entryInfo.ts";
import { findEntries } from "../../../agent/inspect/findEntries.ts";
import { IdSet } from "../../../agent/inspect/idSet.ts";
import { fileBytes, listEntries } from "../../../agent/inspect/listTree.ts";
import { namesOf, parseSnapshotPath } from "../../../agent/inspect/snapshotPath.ts";
import { openTree } from "../../../agent/inspect/snapshotTree.ts";
import type { CatalogSnapshot } from "../../../fs/view/ports.ts";
import { createBitmap, setBit } from "../../../ingest/wire/bitmap.ts";
import { toHex } from "../../../vault/bytes.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec, sparseOf } from "../../fs/treeSpec.ts";

const MiB = 1024 * 1024;

function opened(vault: FixtureVault, row: CatalogSnapshot) {
  return openTree(vault, {
    keys: vault.keys,
    ...openSnapshot(vault.keys, vault.objects.get(row.id) as Buffer),
  });
}

const paths = async (entries: AsyncIterable<{ path: string }>) =>
  (await Array.fromAsync(entries)).map(({ path }) => path);

function sample(): NodeSpec {
  return directoryOf([
    ["etc", directoryOf({ hosts: fileOf("localhost"), "resolv.conf": fileOf("nameserver") })],
    [
      "home",
      directoryOf({
        anna: directoryOf({
          "notes.txt": fileOf("notes"),
          "old.TXT": fileOf("o", { mtime: { seconds: 5, nanoseconds: 0 } }),
        }),
      }),
    ],
    [Buffer.from([0x78, 0xff]), { kind: "symlink", target: "etc" }],
    ["big", sparseOf([3 * MiB, randomBytes(5 * MiB)])],
  ]);
}

describe("ls, cat and find", () => {
  test("a directory, everything below it, one file", async () => {
    const vault = new FixtureVault();
    const snapshot = opened(vault, vault.snapshot(sample()));
    expect(await paths(listEntries(snapshot, []))).toEqual(["/big", "/etc", "/home", "/x\\xff"]);
    expect(await paths(listEntries(snapshot, namesOf(Buffer.from("/home/")), { recursive: true }))).toEqual([
      "/home/anna",
      "/home/anna/notes.txt",
      "/home/anna/old.TXT",
    ]);
    const [hosts] = await Array.fromAsync(listEntries(snapshot, namesOf(Buffer.from("etc/hosts"))));
    expect(hosts).toMatchObject({ path: "/etc/hosts", kind: "file", size: 9, mode: "0644" });
    expect(hosts?.mtime).toBe("2023-11-14T22:13:20.123456789Z");
    const [etc] = (await Array.fromAsync(listEntries(snapshot, []))).filter(({ path }) => path === "/etc");
    expect(etc).toMatchObject({ kind: "directory", size: 19 });
    await expect(paths(listEntries(snapshot, namesOf(Buffer.from("/etc/none"))))).rejects.toMatchObject({
      code: "not-found",
    });
  });

  test("cat gives the bytes, holes as zeros, and refuses what is no file", async () => {
    const vault = new FixtureVault();
    const bytes = randomBytes(5 * MiB);
    const snapshot = opened(vault, vault.snapshot(directoryOf({ big: sparseOf([3 * MiB, bytes]) })));
    const whole = Buffer.concat(await Array.fromAsync(fileBytes(snapshot, [Buffer.from("big")])));
    expect(whole.equals(Buffer.concat([Buffer.alloc(3 * MiB), bytes]))).toBe(true);
    await expect(Array.fromAsync(fileBytes(snapshot, []))).rejects.toMatchObject({ code: "usage" });
  });

  test("find by name, kind, size and age", async () => {
    const vault = new FixtureVault();
    const snapshot = opened(vault, vault.snapshot(sample()));
    const find = (options: Partial<Parameters<typeof findEntries>[1]>) =>
      paths(findEntries(snapshot, { patterns: [], ...options }));
    expect(await find({ patterns: ["*.txt"] })).toEqual(["/home/anna/notes.txt"]);
    expect(await find({ patterns: ["(?i)*.txt", "hosts"] })).toEqual([
      "/etc/hosts",
      "/home/anna/notes.txt",
      "/home/anna/old.TXT",
    ]);
    expect(await find({ kinds: ["symlink"] })).toEqual(["/x\\xff"]);
    expect(await find({ sizeMin: MiB })).toEqual(["/big"]);
    expect(await find({ patterns: ["*.[tT]*"], newerThanMs: 10_000 })).toEqual(["/home/anna/notes.txt"]);
    await expect(find({ patterns: ["a/b"] })).rejects.toMatchObject({ code: "usage" });
    await expect(find({ patterns: ["[a"] })).rejects.toMatchObject({ code: "usage" });
  });

  test("paths and times as people write and read them", () => {
    expect(parseSnapshotPath("latest")).toEqual({ snapshot: "latest", path: [] });
    expect(parseSnapshotPath("ab12:/etc//host:s/./")).toEqual({
      snapshot: "ab12",
      path: [Buffer.from("etc"), Buffer.from("host:s")],
    });
    expect(() => parseSnapshotPath(":/etc")).toThrow("no snapshot");
    expect(() => parseSnapshotPath("a:/etc/../x")).toThrow("not a path");
    expect(timeText({ seconds: -1, nanoseconds: 1 })).toBe("1969-12-31T23:59:59.000000001Z");
    expect(timeText({ seconds: 2 ** 50, nanoseconds: 0 })).toBe(`${2 ** 50}.000000000`);
  });
});

describe("diff", () => {
  test("what was added, removed and changed, without reading content", async () => {
    const vault = new FixtureVault();
    const same = directoryOf(
      Array.from({ length: 500 }, (_, i) => [`f${i}`, fileOf(`${i}`, { inode: BigInt(i) })]),
      { inode: 1n },
    );
    const a = vault.snapshot(
      directoryOf({
        same,
        edited: fileOf("before"),
        mode: fileOf("m", { inode: 3n }),
        gone: directoryOf({ below: fileOf("x") }),
        kind: fileOf("k"),
      }),
    );
    const b = vault.snapshot(
      directoryOf({
        same,
        edited: fileOf("after!"),
        mode: fileOf("m", { inode: 3n, mode: 0o600 }),
        fresh: directoryOf({ below: fileOf("y") }),
        kind: directoryOf({}),
      }),
    );
    const [before, after] = [opened(vault, a), opened(vault, b)];
    vault.reads.length = 0;
    const found = await Array.fromAsync(diffSnapshots(before, after));
    expect(found.map(({ change, path, aspects }) => `${change} ${path} ${aspects}`)).toEqual([
      "changed /edited content",
      "added /fresh ",
      "added /fresh/below ",
      "removed /gone ",
      "removed /gone/below ",
      "changed /kind kind",
      "changed /mode mode",
    ]);
    expect(vault.reads.length).toBeLessThan(10);
    expect(await Array.fromAsync(diffSnapshots(before, before))).toEqual([]);
    expect(await paths(diffSnapshots(before, after, [Buffer.from("fresh")]))).toEqual([
      "/fresh",
      "/fresh/below",
    ]);
    await expect(paths(diffSnapshots(before, after, [Buffer.from("none")]))).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

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
      if (this.#vault.records.has(toHex(id))) setBit(bitmap, index);
    }
    return bitmap;
  }

  async suspect(_vault: string, _group: number, ids: readonly Uint8Array[]): Promise<void> {
    this.suspects.push(...ids.map(toHex));
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
    const run = (readShare: number) =>
      checkSnapshots({
        source: vault,
        port: gateway,
        snapshots: [first, second].map((row) => ({ id: row.id, opened: opened(vault, row) })),
        readShare,
        random: () => 0.5,
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
