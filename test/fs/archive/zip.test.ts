import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { archiveBytes } from "../../../fs/archive/archive.ts";
import { content, nastyTree, rawName } from "../fuse/nastyTree.ts";
import { directory, file, type MemoryNode, MemoryView, sparseFile, syntheticByte } from "../memoryView.ts";
import { archiveFolder, archiveInMemory, python, runTool, toolsReady, writeArchive } from "./archiving.ts";

const named = { format: "zip", name: Buffer.from("top") } as const;

/** The nasty tree without what would unpack to 10 TB, and with little else that is large. */
function tree(): MemoryNode {
  const { snapshot } = nastyTree();
  snapshot.children?.delete("huge");
  snapshot.children?.set("sparse", sparseFile(20n * 2n ** 20n, [{ offset: 8192n, length: 70_000n }]));
  return snapshot;
}

const testZip = `import sys, zipfile
print(zipfile.ZipFile(sys.argv[1]).testzip())`;

describe("ZIP", () => {
  it("gives the same bytes each time; without compression as many as were told ahead", async () => {
    const snapshot = tree();
    const first = await archiveInMemory(snapshot, named);
    expect((await archiveInMemory(snapshot, named)).equals(first)).toBe(true);
    const stored = { ...named, compress: false };
    const told = await archiveBytes(new MemoryView(snapshot), snapshot, stored);
    expect(told).toBe((await archiveInMemory(snapshot, stored)).length);
    expect(await archiveBytes(new MemoryView(snapshot), snapshot, named)).toBeUndefined();
  });

  it("says what it has no place for", async () => {
    const notes: string[] = [];
    await archiveInMemory(tree(), {
      ...named,
      onNote: ({ level, path }) => notes.push(`${level} ${path}`),
    });
    expect(notes.toSorted()).toEqual([
      "info top/socket",
      "warning top/disk",
      "warning top/f\\xff\\xfe\\x80.b",
      "warning top/fifo",
      "warning top/null",
    ]);
  });
});

describe.skipIf(!toolsReady)("ZIP, read by other programs", () => {
  for (const compress of [true, false]) {
    it(`is whole to unzip, 7z, Python and bsdtar ${compress ? "deflated" : "stored"}, also front to back`, async () => {
      const folder = archiveFolder();
      const path = join(folder, "a.zip");
      await writeArchive(path, tree(), { ...named, compress });
      expect(runTool("unzip", ["-tqq", path])).toMatchObject({ status: 0 });
      expect(runTool("7z", ["t", "-bd", path]).output).toContain("Everything is Ok");
      expect(python(testZip, path)).toBe("None");
      const out = join(folder, "out");
      fs.mkdirSync(out);
      // From a pipe there is no list at the end to begin with.
      expect(runTool("bsdtar", ["-xpf", "-"], { folder: out, input: fs.readFileSync(path) })).toEqual({
        status: 0,
        output: "",
      });
      const top = join(out, "top");
      expect(fs.readFileSync(Buffer.concat([Buffer.from(`${top}/`), rawName]), "utf8")).toBe("not UTF-8\n");
      expect(fs.readFileSync(join(top, "content")).equals(content)).toBe(true);
      expect(fs.readdirSync(join(top, "many"))).toHaveLength(10_000);
      const sparse = fs.openSync(join(top, "sparse"), "r");
      const bytes = Buffer.alloc(70_000);
      fs.readSync(sparse, bytes, 0, bytes.length, 8192);
      fs.closeSync(sparse);
      expect(bytes.every((byte, at) => byte === syntheticByte(8192 + at))).toBe(true);
    });
  }

  it("keeps modes, owners, times and links of Unix for unzip", async () => {
    const folder = archiveFolder();
    const snapshot = tree();
    snapshot.children?.set("2106", file("x", { mtimeNs: 4_300_000_000_000_000_000n }));
    await writeArchive(join(folder, "a.zip"), snapshot, named);
    const out = join(folder, "out");
    fs.mkdirSync(out);
    expect(runTool("unzip", ["-qqX", "-K", "../a.zip"], { folder: out })).toMatchObject({ status: 0 });
    const top = join(out, "top");
    expect(fs.statSync(join(top, "private"))).toMatchObject({ mode: 0o100600, uid: 4321, gid: 0 });
    expect(fs.statSync(join(top, "content")).mode).toBe(0o104751);
    expect(fs.statSync(join(top, "private")).mtimeMs).toBe(1_700_000_000_000);
    expect(fs.readlinkSync(join(top, "link"))).toBe("content");
    expect(fs.existsSync(join(top, " lead and trail "))).toBe(true);
    expect(fs.readdirSync(join(top, "empty directory"))).toEqual([]);
    expect(runTool("7z", ["l", "-slt", join(folder, "a.zip"), "top/2106"]).output).toContain(
      "2106-04-06 12:26:40",
    );
  });

  it("holds over 65,535 entries and over 4 GiB", async () => {
    const folder = archiveFolder();
    const path = join(folder, "large.zip");
    const size = 4n * 2n ** 30n + 2n ** 20n + 3n;
    const many = Array.from({ length: 70_000 }, (_, index) => [`${index}`, file(`${index % 10}`)] as const);
    const rows = [
      ["large", sparseFile(size, [{ offset: size - 9n, length: 9n }])],
      ["many", directory(many)],
      ["last", file("last")],
    ] as const;
    const top = directory(rows);
    const { bytes } = await writeArchive(path, top, { format: "zip" });
    expect(bytes).toBeLessThan(30 * 2 ** 20);
    // Every entry behind the large one.
    expect(runTool("unzip", ["-tqq", path])).toEqual({ status: 0, output: "" });
    const listed = python(
      `import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
print(len(z.infolist()), z.getinfo("large").file_size, z.read("last"), z.read("many/69999"))`,
      path,
    );
    expect(listed).toBe(`70003 ${size} b'last' b'9'`);
    // The same without compression is over 4 GiB itself: what is behind it stands at a place of 64 bits.
    const told = await archiveBytes(new MemoryView(top), top, { format: "zip", compress: false });
    expect(told).toBeGreaterThan(4 * 2 ** 30);
    // Some 20 s by itself; beside other work it may take minutes.
  }, 400_000);
});
