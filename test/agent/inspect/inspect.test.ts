import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { diffSnapshots } from "../../../agent/inspect/diffSnapshots.ts";
import { timeText } from "../../../agent/inspect/entryInfo.ts";
import { findEntries } from "../../../agent/inspect/findEntries.ts";
import { fileBytes, listEntries } from "../../../agent/inspect/listTree.ts";
import { namesOf, parseSnapshotPath } from "../../../agent/inspect/snapshotPath.ts";
import { openTree } from "../../../agent/inspect/snapshotTree.ts";
import type { CatalogSnapshot } from "../../../fs/view/ports.ts";
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
