import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { archiveBytes } from "../../../fs/archive/archive.ts";
import { content, nastyTree, rawName, TEN_TERABYTES } from "../fuse/nastyTree.ts";
import { directory, file, MemoryView, node, sparseFile } from "../memoryView.ts";
import { archiveFolder, archiveInMemory, python, runTool, toolsReady, writeArchive } from "./archiving.ts";

const fullFidelity = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "-p"];
const named = { format: "tar", name: Buffer.from("top") } as const;

describe("tar", () => {
  it("gives the same bytes each time, as many as were told ahead", async () => {
    const { snapshot } = nastyTree();
    const first = await archiveInMemory(snapshot, named);
    expect((await archiveInMemory(snapshot, named)).equals(first)).toBe(true);
    expect(await archiveBytes(new MemoryView(snapshot), snapshot, named)).toBe(first.length);
  });

  it("leaves sockets out and says so, as no warning", async () => {
    const notes: unknown[] = [];
    const view = new MemoryView(nastyTree().snapshot);
    await archiveInMemory(view.root, { ...named, onNote: (note) => notes.push(note) });
    expect(notes).toEqual([
      { level: "info", path: "top/socket", message: expect.stringContaining("socket") },
    ]);
  });

  it("is of what is inside a snapshot alone, under a legal name", async () => {
    const { root, snapshot } = nastyTree();
    await expect(archiveInMemory(root, named)).rejects.toMatchObject({ code: "usage" });
    for (const name of ["", ".", "..", "a/b", "a\0b"]) {
      const options = { format: "tar", name: Buffer.from(name) } as const;
      await expect(archiveInMemory(snapshot, options), name).rejects.toMatchObject({ code: "usage" });
    }
    const single = file("alone");
    await expect(archiveInMemory(single, { format: "tar" })).rejects.toMatchObject({ code: "usage" });
  });
});

describe.skipIf(!toolsReady)("tar, read by other programs", () => {
  it("comes back whole from GNU tar: names, modes, owners, times, attributes, ACLs, links, devices, holes", async () => {
    const folder = archiveFolder();
    const { snapshot } = nastyTree();
    await writeArchive(join(folder, "a.tar"), snapshot, named);
    const out = join(folder, "out");
    fs.mkdirSync(out);
    const { status, output } = runTool("tar", [...fullFidelity, "-xf", "../a.tar"], { folder: out });
    // A time before 1970 makes GNU tar wonder, and it sets it.
    expect({ status, output }).toEqual({
      status: 0,
      output: expect.stringMatching(/^(tar: top\/content: implausibly old time stamp [^\n]*\n)?$/),
    });
    const top = join(out, "top");
    const names = fs.readdirSync(top, "buffer").map((name) => name.toString("latin1"));
    const wanted = [...(snapshot.children?.keys() ?? [])].filter((name) => name !== "socket");
    expect(names.toSorted()).toEqual(wanted.toSorted());
    expect(fs.readFileSync(Buffer.concat([Buffer.from(`${top}/`), rawName]), "utf8")).toBe("not UTF-8\n");
    const stat = fs.statSync(join(top, "content"), { bigint: true });
    expect(stat).toMatchObject({ mode: 0o104751n, uid: 1000n, gid: 1001n, mtimeNs: -1_500_000_001n });
    expect(fs.readFileSync(join(top, "content")).equals(content)).toBe(true);
    expect(fs.readlinkSync(join(top, "dangling"), "buffer")).toEqual(Buffer.from([0x2f, 0xff, 0x0a]));
    expect(fs.statSync(join(top, "hard 1")).ino).toBe(fs.statSync(join(top, "hard 2")).ino);
    expect(runTool("getfacl", ["-cn", "attributes"], { folder: top }).output.trim()).toBe(
      "user::rw-\nuser:1234:r--\ngroup::r--\nmask::r--\nother::---",
    );
    expect(runTool("getfattr", ["-d", "-e", "hex", "attributes"], { folder: top }).output).toContain(
      "user.binary=0x0001ff00",
    );
    expect(runTool("stat", ["-c", "%F %t:%T", "null", "disk", "fifo"], { folder: top }).output).toBe(
      "character special file 1:3\nblock special file 103:11170\nfifo 0:0\n",
    );
    const huge = fs.statSync(join(top, "huge"));
    expect(huge.size).toBe(Number(TEN_TERABYTES));
    expect(huge.blocks * 512).toBeLessThan(4 * 2 ** 20);
    expect(fs.readdirSync(join(top, "empty directory"))).toEqual([]);
  });

  it("holds what a header has no room for: long paths and owners, large ids, sizes and times", async () => {
    const folder = archiveFolder();
    const deep = Array.from({ length: 20 }, (_, level) => `${level}`.padEnd(200, "d"));
    const inner = [["leaf", file("at the end\n")]] as const;
    const nested = deep.reduceRight((below, name) => directory([[name, below]]), directory(inner));
    const target = "t".repeat(2000);
    const tree = directory([
      ["nested", nested],
      ["link", node("symlink", {}, { target: Buffer.from(target) })],
      [
        "owned",
        file("x", {
          uid: 4_000_000_000,
          gid: 2_097_152,
          userName: "ü".repeat(20),
          groupName: "g".repeat(40),
        }),
      ],
      ["late", file("x", { mtimeNs: 15_000_000_000_987_654_321n })],
      ["large", sparseFile(9n * 2n ** 30n, [{ offset: 0n, length: 4096n }])],
      ["nothing but a hole", sparseFile(2n ** 40n, [])],
    ]);
    await writeArchive(join(folder, "a.tar"), tree, { format: "tar" });
    const listed = JSON.parse(
      python(
        `import json, sys, tarfile
print(json.dumps({m.name[-20:]: [len(m.name), m.uid, m.gid, m.uname, m.gname, m.size, len(m.linkname), str(m.pax_headers.get("mtime"))] for m in tarfile.open(sys.argv[1])}))`,
        join(folder, "a.tar"),
      ),
    ) as Record<string, unknown[]>;
    const leaf = Object.entries(listed).find(([name]) => name.endsWith("/leaf"))?.[1];
    expect(leaf?.[0]).toBe(4031);
    expect(listed.owned?.slice(0, 6)).toEqual([
      5,
      4_000_000_000,
      2_097_152,
      "ü".repeat(20),
      "g".repeat(40),
      1,
    ]);
    expect(listed.link?.[6]).toBe(2000);
    expect(listed.late?.[7]).toBe("15000000000.987654321");
    expect(listed.large?.[5]).toBe(9 * 2 ** 30);
    for (const program of ["tar", "bsdtar"]) {
      const out = join(folder, program);
      fs.mkdirSync(out);
      const { status, output } = runTool(program, ["-xpf", "../a.tar"], { folder: out });
      expect(status, `${program}: ${output}`).toBe(0);
      expect(output).toMatch(/^(tar: late: time stamp [^\n]* in the future\n)?$/);
      expect(fs.statSync(join(out, "owned"))).toMatchObject({ uid: 4_000_000_000, gid: 2_097_152 });
      expect(fs.statSync(join(out, "late"), { bigint: true }).mtimeNs).toBe(15_000_000_000_987_654_321n);
      expect(fs.readlinkSync(join(out, "link"))).toBe(target);
      expect(fs.statSync(join(out, "large"))).toMatchObject({ size: 9 * 2 ** 30, blocks: 8 });
      expect(fs.statSync(join(out, "nothing but a hole"))).toMatchObject({ size: 2 ** 40, blocks: 0 });
      const seen = runTool("find", [".", "-name", "leaf", "-execdir", "cat", "{}", ";"], { folder: out });
      expect(seen).toEqual({ status: 0, output: "at the end\n" });
    }
  });

  it("keeps an own file over 8 GiB whose content is not all holes", async () => {
    // Only the header is looked at: the content would take the disk that it stands for.
    const large = sparseFile(9n * 2n ** 30n, [{ offset: 0n, length: 9n * 2n ** 30n }]);
    const tree = directory([["large", large]]);
    const view = new MemoryView(tree);
    const bytes = await archiveBytes(view, tree, { format: "tar" });
    expect(bytes).toBe(9 * 2 ** 30 + 512 + 1024 + 1024);
    expect(view.counts.read).toBe(0);
  });
});
