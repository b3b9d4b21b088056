import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { folderName, timeFolders } from "../../../fs/view/folderNames.ts";
import type { ViewNode } from "../../../fs/view/view.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../treeSpec.ts";
import { namesOf, Ring, viewOf, walk } from "../viewWalk.ts";

const MiB = 1024 * 1024;

describe("the namespace", () => {
  test("accounts, devices, items, times and latest", async () => {
    const vault = new FixtureVault();
    const tree = directoryOf({ hello: fileOf("world") });
    vault.snapshot(tree, { time: "2026-11-22T05:45:12.100Z" });
    vault.snapshot(tree, { time: "2026-11-22T05:45:12.900Z" });
    vault.snapshot(tree, { time: "2026-11-23T05:45:12.000Z", incomplete: true });
    vault.snapshot(tree, { item: "a/b", device: "..", account: "anna" });
    const view = viewOf(vault);
    expect(await namesOf(view, view.root)).toEqual(["anna"]);
    expect(await namesOf(view, await walk(view, "anna"))).toEqual(["%2E.", "laptop"]);
    expect(await namesOf(view, await walk(view, "anna/%2E."))).toEqual(["a%2Fb"]);
    const item = await walk(view, "anna/laptop/files");
    const folders = ["2026-11-22T054512Z", "2026-11-22T054512Z-2", "2026-11-23T054512Z-incomplete", "latest"];
    expect(await namesOf(view, item)).toEqual(folders);
    expect(Buffer.from(await view.readlink(await walk(view, "anna/laptop/files/latest"))).toString()).toBe(
      "2026-11-22T054512Z-2",
    );
    const file = await walk(view, "anna/laptop/files/2026-11-22T054512Z/hello");
    expect(Buffer.from(await view.read(file, 0n, 100)).toString()).toBe("world");
    expect(await view.lookup(item, Buffer.from("nothing"))).toBeUndefined();
    view.close();
  });

  test("a locked vault shows names, says how to unlock, and opens when it is unlocked", async () => {
    const vault = new FixtureVault();
    vault.snapshot(directoryOf({ hello: fileOf("world") }));
    const ring = new Ring(undefined);
    const view = viewOf(vault, ring);
    const changed: ViewNode[] = [];
    view.onNamesChanged((directory) => changed.push(directory));
    const folder = await walk(view, "anna/laptop/files/2026-11-22T054513Z");
    await expect(view.lookup(folder, Buffer.from("hello"))).rejects.toMatchObject({
      code: "vault-locked",
      next: "holdfast vault unlock anna",
    });
    await expect(view.readPage(folder, 0n, 10)).rejects.toMatchObject({ code: "vault-locked" });
    ring.set(vault.keys);
    await expect.poll(() => changed.length).toBeGreaterThan(0);
    const opened = await walk(view, "anna/laptop/files/2026-11-22T054512Z/hello");
    expect(opened.attributes.size).toBe(5n);
    view.close();
  });

  test("a new snapshot tells of its item's folder alone", async () => {
    const vault = new FixtureVault();
    vault.snapshot(directoryOf({}));
    const view = viewOf(vault);
    const item = await walk(view, "anna/laptop/files/latest").then(() => walk(view, "anna/laptop/files"));
    const changed: ViewNode[] = [];
    view.onNamesChanged((directory) => changed.push(directory));
    vault.snapshot(directoryOf({}), { time: "2026-11-24T00:00:00.000Z" });
    await expect
      .poll(() => changed.map(({ attributes }) => attributes.inode))
      .toEqual([item.attributes.inode]);
    expect(await namesOf(view, item)).toContain("2026-11-24T000000Z");
    view.close();
  });

  test("folder names are legal and tell names apart", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: "grapheme", maxLength: 300 }), { maxLength: 20 }),
        (names) => {
          const folders = names.map(folderName);
          expect(new Set(folders).size).toBe(names.length);
          for (const folder of folders) {
            expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(255);
            expect(folder).toMatch(/^[^./@][^/]*$/u);
          }
        },
      ),
    );
    expect(timeFolders([0, 500, 999, 1000])).toEqual([
      "1970-01-01T000000Z",
      "1970-01-01T000000Z-2",
      "1970-01-01T000000Z-3",
      "1970-01-01T000001Z",
    ]);
  });
});

describe("inside a snapshot", () => {
  test("a large directory: by name, page by page from any row", async () => {
    const vault = new FixtureVault();
    const rows = Array.from({ length: 20_000 }, (_, i) => [`file ${i}`, fileOf("")] as const);
    vault.snapshot(directoryOf(rows));
    const view = viewOf(vault);
    const folder = await walk(view, "anna/laptop/files/2026-11-22T054512Z");
    const expected = rows
      .map(([name]) => name)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await namesOf(view, folder, 777)).toEqual(expected);
    const fresh = viewOf(vault);
    const again = await walk(fresh, "anna/laptop/files/2026-11-22T054512Z");
    vault.reads.length = 0;
    const page = await fresh.readPage(again, 15_000n, 3);
    expect(page.rows.map(({ name }) => Buffer.from(name).toString())).toEqual(expected.slice(15_000, 15_003));
    expect(page.next).toBe(15_003n);
    expect((await fresh.lookup(again, Buffer.from("file 12345")))?.attributes.size).toBe(0n);
    const inodes = new Set(
      (await view.readPage(folder, 0n, 20_000)).rows.map(({ node }) => node.attributes.inode),
    );
    expect(inodes.size).toBe(20_000);
    view.close();
    fresh.close();
  });

  test("attributes, links, attributes in a record, devices", async () => {
    const vault = new FixtureVault();
    const big = [{ name: Buffer.from("user.big"), value: randomBytes(5000) }];
    const note = [{ name: Buffer.from("user.note"), value: Buffer.from("hi") }];
    vault.snapshot(
      directoryOf({
        file: fileOf("12345", {
          mode: 0o4755,
          uid: 12,
          gid: 34,
          userName: "u",
          mtime: { seconds: -5, nanoseconds: 7 },
        }),
        a: fileOf("x", { inode: 77n, linkCount: 2 }),
        sub: directoryOf({ b: fileOf("x", { inode: 77n, linkCount: 2 }), c: directoryOf({}) }),
        noted: fileOf("n", { xattrs: note }),
        bigNoted: fileOf("n", { xattrs: big }),
        link: { kind: "symlink", target: Buffer.from([0xff, 0x2f]) },
        tty: { kind: "characterDevice", major: 4, minor: 1 },
      }),
    );
    const view = viewOf(vault);
    const at = (path: string) => walk(view, `anna/laptop/files/2026-11-22T054512Z/${path}`);
    const file = (await at("file")).attributes;
    expect(file).toMatchObject({
      mode: 0o4755,
      uid: 12,
      gid: 34,
      userName: "u",
      mtimeNs: -4_999_999_993n,
      size: 5n,
    });
    expect((await at("a")).attributes.inode).toBe((await at("sub/b")).attributes.inode);
    expect((await at("a")).attributes.linkCount).toBe(2);
    expect((await at("sub")).attributes.linkCount).toBe(1);
    expect((await at("sub/c")).attributes.linkCount).toBe(2);
    expect(await view.xattrs(await at("noted"))).toEqual(new Map([["user.note", Buffer.from("hi")]]));
    expect((await view.xattrs(await at("bigNoted"))).get("user.big")).toEqual(big[0]?.value);
    expect(await view.readlink(await at("link"))).toEqual(Buffer.from([0xff, 0x2f]));
    expect((await at("tty")).attributes).toMatchObject({
      kind: "characterDevice",
      deviceMajor: 4,
      deviceMinor: 1,
    });
    await expect(view.read(await at("sub"), 0n, 1)).rejects.toMatchObject({ code: "usage" });
    await expect(view.readPage(await at("file"), 0n, 1)).rejects.toMatchObject({ code: "usage" });
    view.close();
  });

  test("any range of any file reads as it was written", async () => {
    const pieces = fc.array(
      fc.oneof(
        fc.integer({ min: 1, max: 3 * MiB }),
        fc.integer({ min: 1, max: 2 * MiB }).map((length) => randomBytes(length)),
      ),
      { minLength: 1, maxLength: 24 },
    );
    await fc.assert(
      fc.asyncProperty(
        pieces,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        async (parts, shares) => {
          const vault = new FixtureVault();
          vault.snapshot(directoryOf({ f: sparseOf(parts) }));
          const whole = Buffer.concat(
            parts.map((part) => (typeof part === "number" ? Buffer.alloc(part) : part)),
          );
          const view = viewOf(vault);
          const node = await walk(view, "anna/laptop/files/2026-11-22T054512Z/f");
          const data = parts.reduce<number>(
            (sum, part) => sum + (typeof part === "number" ? 0 : part.length),
            0,
          );
          expect(node.attributes.allocatedBytes).toBe(BigInt(data));
          for (let tries = 0; tries < 6; tries++) {
            const offset = Math.floor((shares.next().value as number) * whole.length * 1.1);
            const length = Math.floor((shares.next().value as number) * 2 * MiB);
            const bytes = Buffer.from(await view.read(node, BigInt(offset), length));
            expect(bytes.equals(whole.subarray(offset, offset + length))).toBe(true);
            const extent = await view.extentAt(node, BigInt(offset));
            if (offset >= whole.length) expect(extent).toBeUndefined();
            else if (extent !== undefined) {
              expect(extent.offset <= BigInt(offset) && extent.offset + extent.length > BigInt(offset)).toBe(
                true,
              );
              const inside = whole.subarray(Number(extent.offset), Number(extent.offset + extent.length));
              if (extent.hole) expect(inside.equals(Buffer.alloc(inside.length))).toBe(true);
            }
          }
          view.close();
        },
      ),
      { numRuns: 12 },
    );
  });

  test("a damaged chunk costs its range alone", async () => {
    const vault = new FixtureVault();
    const parts = [randomBytes(MiB), randomBytes(MiB), randomBytes(MiB), randomBytes(MiB)];
    vault.snapshot(directoryOf({ f: sparseOf(parts) }));
    const ids = parts.map((part) => vault.put(1, part).toString("hex"));
    const flipped = Buffer.from(vault.records.get(ids[0] as string) as Buffer);
    flipped[5000] = (flipped[5000] as number) ^ 1;
    vault.records.set(ids[0] as string, flipped);
    vault.records.delete(ids[1] as string);
    vault.records.set(ids[2] as string, Buffer.alloc(0));
    const view = viewOf(vault);
    const node = await walk(view, "anna/laptop/files/2026-11-22T054512Z/f");
    const at = (n: number) => view.read(node, BigInt(n * MiB + 5), 10);
    await expect(at(0)).rejects.toMatchObject({ code: "chunk-damaged", detail: { chunk: ids[0] } });
    await expect(at(1)).rejects.toMatchObject({ code: "chunk-missing", detail: { chunk: ids[1] } });
    await expect(at(2)).rejects.toMatchObject({ code: "chunk-damaged", detail: { writer: "aa".repeat(16) } });
    expect(Buffer.from(await at(3)).equals((parts[3] as Buffer).subarray(5, 15))).toBe(true);
    const stop = new AbortController();
    stop.abort();
    await expect(view.read(node, BigInt(MiB), 5, stop.signal)).rejects.toMatchObject({ code: "cancelled" });
    view.close();
  });

  test("what is on its way with a box costs its range alone, and is there as soon as it came", async () => {
    const vault = new FixtureVault();
    const parts = [randomBytes(MiB), randomBytes(MiB)];
    vault.snapshot(directoryOf({ f: sparseOf(parts), g: fileOf("here") }));
    const id = vault.put(1, parts[0] as Buffer).toString("hex");
    vault.promised.set(id, 12);
    const view = viewOf(vault);
    const folder = "anna/laptop/files/2026-11-22T054512Z";
    const node = await walk(view, `${folder}/f`);
    const detail = { chunk: id, box: 12 };
    await expect(view.read(node, 5n, 10)).rejects.toMatchObject({ code: "promised", detail });
    expect(
      Buffer.from(await view.read(node, BigInt(MiB), 10)).equals((parts[1] as Buffer).subarray(0, 10)),
    ).toBe(true);
    expect(Buffer.from(await view.read(await walk(view, `${folder}/g`), 0n, 10)).toString()).toBe("here");
    vault.promised.clear();
    expect(Buffer.from(await view.read(node, 5n, 10)).equals((parts[0] as Buffer).subarray(5, 15))).toBe(
      true,
    );
    view.close();
  });

  test("one record is fetched once for many readers at a time, and not again while it is cached", async () => {
    const vault = new FixtureVault();
    vault.snapshot(directoryOf({ f: sparseOf([randomBytes(MiB)]) }));
    const view = viewOf(vault);
    const node = await walk(view, "anna/laptop/files/2026-11-22T054512Z/f");
    vault.reads.length = 0;
    await Promise.all(Array.from({ length: 20 }, (_, i) => view.read(node, BigInt(i * 1000), 1000)));
    await view.read(node, 0n, MiB);
    expect(vault.reads.length).toBe(1);
    view.close();
  });
});
