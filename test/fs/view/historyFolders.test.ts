import { describe, expect, test } from "vitest";
import { daily, dir, file, folderOf } from "../dailyTrees.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { namesOf, viewOf, walk } from "../viewWalk.ts";

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
