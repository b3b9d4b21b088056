import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec, sparseOf } from "../../fs/treeSpec.ts";
import { checkTree } from "./checkTree.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

const MiB = 1024 * 1024;
const root = process.getuid?.() === 0;
const note = (value: string | Buffer) => [
  { name: Buffer.from("user.note"), value: Buffer.from(value as string) },
];

function nasty(): NodeSpec {
  return directoryOf([
    [Buffer.from([0xff, 0xfe, 0x20]), fileOf("not UTF-8")],
    ["empty", fileOf("")],
    ["old", fileOf("x", { mtime: { seconds: -1_000_000, nanoseconds: 999_999_999 } })],
    ["sticky", directoryOf({}, { mode: 0o1777, xattrs: note("directory") })],
    ["readonly", directoryOf({ inside: fileOf("inside", { mode: 0o400 }) }, { mode: 0o555 })],
    ["setuid", fileOf("s", { mode: 0o6755 })],
    ["note", fileOf("noted", { xattrs: note(randomBytes(3000)) })],
    ["dangling", { kind: "symlink", target: "no/such", xattrs: [] }],
    ["fifo", { kind: "fifo", mode: 0o620 }],
    ["socket", { kind: "socket" }],
    ["a", directoryOf({ first: fileOf("linked", { inode: 9n, linkCount: 3 }) })],
    ["b", directoryOf({ second: fileOf("linked", { inode: 9n, linkCount: 3 }) })],
    ["c", fileOf("linked", { inode: 9n, linkCount: 3 })],
    ["sparse", sparseOf([5 * MiB, randomBytes(70_000), 3 * MiB, randomBytes(10), 100])],
    ["only hole", sparseOf([9 * MiB])],
    ["large", sparseOf([randomBytes(11 * MiB)])],
    [
      "many pieces",
      sparseOf(Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 8192 : randomBytes(5000)))),
    ],
    ...(root
      ? ([
          ["owned", fileOf("o", { uid: 1234, gid: 4321 })],
          ["tty", { kind: "characterDevice", major: 4, minor: 65, mode: 0o600 }],
          ["disk", { kind: "blockDevice", major: 7, minor: 200, mode: 0o660 }],
        ] as [string, NodeSpec][])
      : []),
  ]);
}

describe("restore", () => {
  test("everything a file system has, twice", async () => {
    const vault = new FixtureVault();
    const tree = nasty();
    const row = vault.snapshot(tree);
    const target = join(temporaryFolder(), "made", "by restore");
    const first = await restoreTo(target, vault, row, { threads: 2 });
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    expect(first).toMatchObject({ warnings: 0, errors: 0, reused: 0 });
    expect(first.notes).toMatchObject([{ level: "info", path: "/socket" }]);
    expect(lstatSync(join(target, "sparse")).blocks * 512).toBeLessThan(MiB);
    const again = await restoreTo(target, vault, row, { threads: 2 });
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    expect(again).toMatchObject({ warnings: 0, errors: 0, fetchedRecords: 0 });
  });

  test("a second thread starts when there is work for it", async () => {
    const vault = new FixtureVault();
    let started = 0;
    const count = (): void => void started++;
    process.on("worker", count);
    onTestFinished(() => void process.off("worker", count));
    const restored = async (mebibytes: number): Promise<number> => {
      const tree = directoryOf({ one: fileOf("1"), large: fileOf(randomBytes(mebibytes * MiB)) });
      const target = temporaryFolder();
      started = 0;
      await restoreTo(target, vault, vault.snapshot(tree), { threads: undefined });
      expect(checkTree(tree, Buffer.from(target))).toEqual([]);
      return started;
    };
    expect(await restored(4)).toBe(1);
    expect(await restored(24)).toBe(Math.min(2, availableParallelism()));
  });

  test("a path of the snapshot: a directory gives what is in it, a file itself", async () => {
    const vault = new FixtureVault();
    const etc = directoryOf(
      { hosts: fileOf("localhost"), deep: directoryOf({ x: fileOf("x") }) },
      { mode: 0o711 },
    );
    const row = vault.snapshot(directoryOf({ etc, home: directoryOf({}) }));
    const target = temporaryFolder();
    await restoreTo(join(target, "1"), vault, row, { path: [Buffer.from("etc")] });
    expect(checkTree(etc, Buffer.from(join(target, "1")))).toEqual([]);
    expect(statSync(join(target, "1")).mode & 0o777).toBe(0o711);
    await restoreTo(join(target, "2"), vault, row, { path: [Buffer.from("etc"), Buffer.from("hosts")] });
    expect(readFileSync(join(target, "2", "hosts")).toString()).toBe("localhost");
    expect(readdirSync(join(target, "2"))).toEqual(["hosts"]);
    const missing = restoreTo(target, vault, row, { path: [Buffer.from("etc"), Buffer.from("nothing")] });
    await expect(missing).rejects.toMatchObject({ code: "not-found" });
  });

  test("1 TiB with 1 MiB of data", async () => {
    const vault = new FixtureVault();
    const tree = directoryOf({ huge: sparseOf([2 ** 39, randomBytes(MiB), 2 ** 39 - MiB]) });
    const row = vault.snapshot(tree);
    const target = temporaryFolder();
    await restoreTo(target, vault, row);
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    expect(statSync(join(target, "huge")).blocks * 512).toBeLessThan(2 * MiB);
    const again = await restoreTo(target, vault, row);
    expect(again).toMatchObject({ fetchedRecords: 0, errors: 0 });
  });

  test("paths beyond PATH_MAX, and a long target", async () => {
    const vault = new FixtureVault();
    let tree: NodeSpec = directoryOf({ bottom: fileOf("deep") });
    for (let depth = 0; depth < 40; depth++) tree = directoryOf({ ["d".repeat(200)]: tree });
    const row = vault.snapshot(tree);
    const target = join(temporaryFolder(), ...Array.from({ length: 15 }, () => "t".repeat(200)));
    const result = await restoreTo(target, vault, row);
    expect(result).toMatchObject({ files: 1, directories: 40, errors: 0, warnings: 0 });
    const again = await restoreTo(target, vault, row);
    expect(again).toMatchObject({ reused: 1, errors: 0, warnings: 0 });
  });

  test("random trees come back as they were", { timeout: 240_000 }, async () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 12 })
      .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x5f : byte))))
      .filter((bytes) => bytes.toString() !== "." && bytes.toString() !== "..");
    const mode = fc.integer({ min: 0, max: 0o777 });
    const time = fc.record({
      seconds: fc.integer({ min: -1_000_000, max: 4_000_000_000 }),
      nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    });
    const common = { mode, mtime: time };
    const { tree } = fc.letrec<{ tree: NodeSpec; node: NodeSpec }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.record({
          kind: fc.constant("file" as const),
          ...common,
          pieces: fc.array(
            fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 3000 }), fc.integer({ min: 1, max: 100_000 })),
            { maxLength: 12 },
          ),
        }),
        fc.record({ kind: fc.constant("symlink" as const), mtime: time, target: name }),
        fc.record({ kind: fc.constant("fifo" as const), ...common }),
        tie("tree"),
      ),
      tree: fc.record({
        kind: fc.constant("directory" as const),
        ...common,
        rows: fc.uniqueArray(fc.tuple(name, tie("node")), {
          maxLength: 8,
          selector: ([key]) => key.toString("latin1"),
        }),
      }),
    }));
    await fc.assert(
      fc.asyncProperty(tree, async (spec) => {
        const vault = new FixtureVault();
        const row = vault.snapshot(spec);
        const target = temporaryFolder();
        const result = await restoreTo(target, vault, row, { threads: 1 });
        expect(result.notes).toEqual([]);
        expect(checkTree(spec, Buffer.from(target))).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });
});
