import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PathVersion } from "../../../fs/view/ports.ts";
import type { VaultView } from "../../../fs/view/vaultView.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec } from "../treeSpec.ts";
import { namesOf, Ring, viewOf, walk } from "../viewWalk.ts";

const dayMs = 86_400_000;
const start = Date.parse("2026-01-01T00:00:00.000Z");
const item = { account: "anna", device: "laptop", item: "files" };

// One inode for all, so that equal trees are equal pages, as they are where nothing changed.
const file = (text: string, more: object = {}): NodeSpec => fileOf(text, { inode: 1n, ...more });
const dir = (rows: Parameters<typeof directoryOf>[0], more: object = {}): NodeSpec =>
  directoryOf(rows, { inode: 1n, ...more });

/** Commits trees a day apart. */
function daily(
  vault: FixtureVault,
  trees: readonly NodeSpec[],
  more: { incomplete?: boolean }[] = [],
): string[] {
  return trees.map((tree, day) => {
    const time = new Date(start + day * dayMs).toISOString();
    return vault.snapshot(tree, { time, ...more[day] }).id;
  });
}

const folderOf = (day: number): string =>
  `${new Date(start + day * dayMs).toISOString().slice(0, 10)}T000000Z`;

async function versions(view: VaultView, path: string): Promise<PathVersion[]> {
  const names = path.split("/").filter((name) => name !== "");
  return Array.fromAsync(view.history({ ...item, names: names.map((name) => Buffer.from(name)) }));
}

/** "kind first-day..last-day" for each version. */
async function summary(view: VaultView, path: string): Promise<string[]> {
  const day = (time: string): number => (Date.parse(time) - start) / dayMs;
  return (await versions(view, path)).map(({ kind, time, until }) => `${kind} ${day(time)}..${day(until)}`);
}

describe("versions of a path", () => {
  test("a file: by content, with deletions, other kinds, and no version for metadata alone", async () => {
    const vault = new FixtureVault();
    const ids = daily(vault, [
      dir({ etc: dir({}) }),
      dir({ etc: dir({ hosts: file("one") }) }),
      dir({
        etc: dir({ hosts: file("one", { mode: 0o600, mtime: { seconds: 5, nanoseconds: 1 } }) }),
      }),
      dir({ etc: dir({ hosts: file("two") }), other: file("x") }),
      dir({ etc: dir({ hosts: file("two") }), other: file("y") }),
      dir({}),
      dir({ etc: dir({ hosts: file("two") }) }),
      dir({ etc: dir({ hosts: { kind: "symlink", target: "a" } }) }),
      dir({ etc: dir({ hosts: { kind: "symlink", target: "b" } }) }),
      dir({ etc: dir({ hosts: dir({ deep: file("") }) }) }),
      dir({ etc: file("no directory") }),
    ]);
    const view = viewOf(vault);
    expect(await summary(view, "etc/hosts")).toEqual([
      "absent 10..10",
      "directory 9..9",
      "symlink 8..8",
      "symlink 7..7",
      "file 6..6",
      "absent 5..5",
      "file 3..4",
      "file 1..2",
    ]);
    const [, , , , again, , , first] = await versions(view, "etc/hosts");
    expect(first).toMatchObject({ snapshot: ids[1], folder: folderOf(1), snapshots: 2, size: 3 });
    expect(again).toMatchObject({ snapshot: ids[6], size: 3, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await summary(view, "other")).toEqual(["absent 5..10", "file 4..4", "file 3..3"]);
    expect(await summary(view, "etc/hosts/deep")).toEqual(["absent 10..10", "file 9..9"]);
    expect(await summary(view, "")).toHaveLength(11);
    await expect(versions(view, "etc/nothing")).rejects.toMatchObject({ code: "not-found" });
    await expect(
      Array.fromAsync(view.history({ ...item, item: "unknown", names: [] })),
    ).rejects.toMatchObject({ code: "not-found" });
    view.close();
  });

  test("what an incomplete snapshot lacks is not gone", async () => {
    const vault = new FixtureVault();
    const whole = dir({ a: file("1"), b: file("2") });
    daily(vault, [whole, dir({ a: file("1") }), whole], [{}, { incomplete: true }, {}]);
    const view = viewOf(vault);
    expect(await summary(view, "a")).toEqual(["file 0..2"]);
    expect(await summary(view, "b")).toEqual(["file 0..2"]);
    view.close();
  });

  test("agrees with a walk through every snapshot, for any sequence of trees", async () => {
    const names = ["a", "b", "c"];
    const leaf = fc.constantFrom("", "1", "2").map((text): NodeSpec => file(text));
    const { tree } = fc.letrec<{ tree: NodeSpec; node: NodeSpec }>((tie) => ({
      node: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf, tie("tree")),
      tree: fc.dictionary(fc.constantFrom(...names), tie("node"), { maxKeys: 3 }).map((rows) => dir(rows)),
    }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(tree, { minLength: 1, maxLength: 12 }),
        fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
        async (trees, path) => {
          const vault = new FixtureVault();
          daily(vault, trees);
          const view = viewOf(vault);
          const seen: string[] = [];
          for (let day = 0; day < trees.length; day++) {
            const node = await walk(view, `anna/laptop/files/${folderOf(day)}/${path.join("/")}`).catch(
              () => undefined,
            );
            if (node === undefined) seen.push("absent");
            else if (node.attributes.kind === "file") {
              seen.push(`file ${Buffer.from(await view.read(node, 0n, 9)).toString()}`);
            } else seen.push(`directory ${(node as unknown as { page: Buffer }).page.toString("hex")}`);
          }
          const expected: string[] = [];
          for (const [day, what] of seen.entries()) {
            if (what === (seen[day - 1] ?? "absent")) continue;
            expected.unshift(`${what.split(" ")[0]} ${day}`);
          }
          const told = await summary(view, path.join("/")).catch(() => []);
          expect(told.map((line) => line.split("..")[0])).toEqual(expected);
          view.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test("1,000 snapshots cost what differs in them", async () => {
    const vault = new FixtureVault();
    const still = dir(Array.from({ length: 50 }, (_, i) => [`same ${i}`, file("same")] as const));
    const trees = Array.from({ length: 1000 }, (_, day) =>
      dir({
        still,
        etc: dir({ hosts: file(`${Math.floor(day / 400)}`) }),
        // Changes every day, beside the path that is asked for.
        log: file(`${day}`),
      }),
    );
    daily(vault, trees);
    const view = viewOf(vault);
    await versions(view, "etc");
    vault.reads.length = 0;
    expect(await summary(view, "etc/hosts")).toEqual(["file 800..999", "file 400..799", "file 0..399"]);
    expect(await summary(view, "still/same 7")).toEqual(["file 0..999"]);
    // Root pages are in the cache; of `etc` there are three, of `still` one, which may be split. No content was read.
    expect(vault.reads.length).toBeLessThan(12);
    view.close();
  });

  test("a snapshot or page that cannot be read is named, and the others are told of", async () => {
    const vault = new FixtureVault();
    const trees = ["1", "2", "2"].map((text, n) => dir({ etc: dir({ hosts: file(text) }), n: file(`${n}`) }));
    const ids = daily(vault, trees);
    const page = (await versions(viewOf(vault), "etc"))[0]?.hash as string;
    const good = vault.records.get(page) as Buffer;
    vault.records.set(page, Buffer.alloc(0));
    const view = viewOf(vault);
    expect(await summary(view, "etc/hosts")).toEqual(["unreadable 2..2", "unreadable 1..1", "file 0..0"]);
    vault.records.set(page, good);
    vault.objects.set(ids[1] as string, Buffer.alloc(300));
    const fresh = viewOf(vault);
    expect((await versions(fresh, "etc/hosts")).map(({ kind }) => kind)).toEqual([
      "file",
      "unreadable",
      "file",
    ]);
    view.close();
    fresh.close();
  });

  test("a locked vault tells nothing", async () => {
    const vault = new FixtureVault();
    daily(vault, [dir({ a: file("1") })]);
    const view = viewOf(vault, new Ring(undefined));
    await expect(versions(view, "a")).rejects.toMatchObject({ code: "vault-locked" });
    view.close();
  });
});

describe("history folders", () => {
  const base = "anna/laptop/files/.history";

  test("times and children, at every path; hidden in the item", async () => {
    const vault = new FixtureVault();
    daily(vault, [
      dir({ etc: dir({ hosts: file("one"), old: file("o") }) }),
      dir({ etc: dir({ hosts: file("two") }) }),
      dir({ etc: dir({ hosts: file("two") }), log: file("l") }),
    ]);
    const view = viewOf(vault);
    expect(await namesOf(view, await walk(view, "anna/laptop/files"))).not.toContain(".history");
    const days = [0, 1, 2].map(folderOf);
    expect(await namesOf(view, await walk(view, base))).toEqual([...days, "etc", "log"]);
    expect(await namesOf(view, await walk(view, `${base}/etc`))).toEqual([days[0], days[1], "hosts", "old"]);
    expect(await namesOf(view, await walk(view, `${base}/etc/hosts`))).toEqual([days[0], days[1]]);
    expect(await namesOf(view, await walk(view, `${base}/etc/old`))).toEqual([days[0]]);
    const read = async (path: string): Promise<string> =>
      Buffer.from(await view.read(await walk(view, path), 0n, 99)).toString();
    expect(await read(`${base}/etc/hosts/${days[0]}`)).toBe("one");
    expect(await read(`${base}/etc/hosts/${days[1]}`)).toBe("two");
    expect(await read(`${base}/etc/${days[0]}/old`)).toBe("o");
    expect(await read(`${base}/${days[2]}/log`)).toBe("l");
    for (const absent of [`etc/hosts/${days[2]}`, "etc/nothing", `etc/old/${days[1]}`]) {
      await expect(walk(view, `${base}/${absent}`)).rejects.toThrow("is not there");
    }
    view.close();
  });

  test("children that look like times get a %, and all are reached again", async () => {
    const odd = ["2026-01-01T000000Z", "%2026-01-01T000000Z", "%%2026-01-01T000000Z-2", "%25", "2026-01-01"];
    const vault = new FixtureVault();
    daily(vault, [dir(odd.map((name) => [name, file(name)] as const))]);
    const view = viewOf(vault);
    const listed = await namesOf(view, await walk(view, base));
    expect(new Set(listed)).toEqual(
      new Set([
        folderOf(0),
        "%2026-01-01T000000Z",
        "%%2026-01-01T000000Z",
        "%%%2026-01-01T000000Z-2",
        "%25",
        "2026-01-01",
      ]),
    );
    const contents: string[] = [];
    for (const name of listed.slice(1)) {
      const file = await walk(view, `${base}/${name}/${folderOf(0)}`);
      contents.push(Buffer.from(await view.read(file, 0n, 99)).toString());
    }
    expect(contents.toSorted()).toEqual(odd.toSorted());
    view.close();
  });

  test("large directories: every name once, page by page from any row", async () => {
    const vault = new FixtureVault();
    const names = Array.from({ length: 9000 }, (_, i) => `file ${i}`);
    const without = (n: number) =>
      dir({
        big: dir(names.filter((_, i) => i % 7 !== n).map((name) => [name, file("")] as const)),
      });
    daily(vault, [without(0), without(3), without(5)]);
    const view = viewOf(vault);
    const folder = await walk(view, `${base}/big`);
    const expected = names.toSorted();
    const listed = await namesOf(view, folder, 700);
    expect(listed).toEqual([folderOf(0), folderOf(1), folderOf(2), ...expected]);
    const fresh = viewOf(vault);
    const page = await fresh.readPage(await walk(fresh, `${base}/big`), 4003n, 3);
    expect(page.rows.map(({ name }) => Buffer.from(name).toString())).toEqual(expected.slice(4000, 4003));
    expect(page.next).toBe(4006n);
    view.close();
    fresh.close();
  });

  test("nobody passes whom a version of the directory would have stopped", async () => {
    const vault = new FixtureVault();
    const acl = [{ name: Buffer.from("system.posix_acl_access"), value: Buffer.alloc(44) }];
    const inside = { f: file("secret") };
    daily(vault, [
      dir({
        narrowed: dir(inside, { mode: 0o755, uid: 5, gid: 6 }),
        moved: dir(inside, { mode: 0o751, uid: 5, gid: 6 }),
        listed: dir(inside, { mode: 0o755, uid: 5, gid: 6, xattrs: acl }),
      }),
      dir({
        narrowed: dir(inside, { mode: 0o710, uid: 5, gid: 6 }),
        moved: dir(inside, { mode: 0o755, uid: 7, gid: 6 }),
        listed: dir(inside, { mode: 0o755, uid: 5, gid: 6 }),
        narrower: file("no directory"),
      }),
    ]);
    const view = viewOf(vault);
    const expected = {
      narrowed: { mode: 0o710, uid: 5, gid: 6 },
      moved: { mode: 0o711, uid: 0, gid: 0 },
      listed: { mode: 0o700, uid: 5, gid: 6 },
      narrower: { mode: 0o755, uid: 0, gid: 0 },
    };
    const { rows } = await view.readPage(await walk(view, base), 0n, 100);
    for (const [name, attributes] of Object.entries(expected)) {
      expect((await walk(view, `${base}/${name}`)).attributes, name).toMatchObject(attributes);
      const row = rows.find((found) => Buffer.from(found.name).toString() === name);
      expect(row?.node.attributes, name).toMatchObject(attributes);
    }
    view.close();
  });

  test("no two directories of a drive have one number, whichever way they are reached", async () => {
    const vault = new FixtureVault();
    daily(vault, [dir({ etc: dir({ ssh: dir({}) }) })]);
    const view = viewOf(vault);
    const shadow = "@GMT-2026.01.01-00.00.00";
    const paths = [
      ...["", "/etc", "/etc/ssh"].flatMap((path) => [
        `${folderOf(0)}${path}`,
        `.snapshots/${shadow}${path}`,
        `${shadow}${path}`,
        `.history/${folderOf(0)}${path}`,
        `.history${path}`,
      ]),
      ...[
        `.history/etc/${folderOf(0)}`,
        `.history/etc/${folderOf(0)}/ssh`,
        `.history/etc/ssh/${folderOf(0)}`,
      ],
    ];
    const nodes = await Promise.all(paths.map((path) => walk(view, `anna/laptop/files/${path}`)));
    expect(new Set(nodes.map(({ attributes }) => attributes.inode)).size).toBe(paths.length);
    view.close();
  });
});
