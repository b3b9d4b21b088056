import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PathVersion } from "../../../fs/view/ports.ts";
import type { VaultView } from "../../../fs/view/vaultView.ts";
import { daily, dayMs, dir, file, folderOf, item, start } from "../dailyTrees.ts";
import { FixtureVault } from "../fixtureVault.ts";
import type { NodeSpec } from "../treeSpec.ts";
import { Ring, viewOf, walk } from "../viewWalk.ts";

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
