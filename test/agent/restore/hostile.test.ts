// Trees that no honest writer makes: a restore names what is wrong and writes nothing outside of its target.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../../vault/bytes.ts";
import { FileHasher } from "../../../vault/fileHash.ts";
import { limits } from "../../../vault/limits.ts";
import { RecordType } from "../../../vault/magic.ts";
import { DirectoryWriter } from "../../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind } from "../../../vault/tree/entry.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

const time = { seconds: 1_700_000_000, nanoseconds: 0 };
const counts = { files: 1, directories: 0, bytes: 1 };

function common(name: string): Omit<EntryDraft, "kind"> {
  return {
    name: Buffer.from(name),
    mode: 0o700,
    uid: 0,
    gid: 0,
    userName: "",
    groupName: "",
    mtime: time,
    ctime: time,
    btime: time,
    device: 1n,
    inode: 5n,
    linkCount: 1,
    xattrs: { form: "none" },
  };
}

/** A directory of these entries; `spoil` may change the bytes of its page. */
function directory(vault: FixtureVault, entries: EntryDraft[], spoil = (page: Buffer): Buffer => page) {
  const writer = new DirectoryWriter(vault.keys.splitTable(vault.group), (plaintext, refs) =>
    vault.put(RecordType.directory, spoil(plaintext), refs),
  );
  for (const entry of entries) writer.add(entry);
  return writer.finish();
}

function folder(name: string, page: { id: Buffer; plainLength: number }): EntryDraft {
  return {
    ...common(name),
    kind: EntryKind.directory,
    child: { id: page.id, plainLength: page.plainLength, ...counts },
  };
}

async function restoreBad(vault: FixtureVault, root: { id: Buffer }) {
  const parent = temporaryFolder();
  const target = join(parent, "target");
  mkdirSync(target);
  const result = await restoreTo(target, vault, vault.commit(root.id, counts));
  expect(readdirSync(parent)).toEqual(["target"]);
  return { target, result };
}

describe("hostile trees", () => {
  test.each(["../escaped", "..", ".", "a/b", "a\0b"])("the name %j", async (name) => {
    const vault = new FixtureVault();
    const stand = "x".repeat(name.length);
    const bad = directory(vault, [{ ...common(stand), kind: EntryKind.fifo }], (page) =>
      Buffer.from(page.toString("latin1").replace(stand, name), "latin1"),
    );
    const good = directory(vault, [{ ...common("fifo"), kind: EntryKind.fifo }]);
    const { target, result } = await restoreBad(
      vault,
      directory(vault, [folder("bad", bad), folder("good", good)]),
    );
    expect(result.notes).toMatchObject([{ level: "error", path: "/bad", code: "corrupt" }]);
    expect(existsSync(join(target, "good", "fifo"))).toBe(true);
    expect(readdirSync(join(target, "bad"))).toEqual([]);
  });

  test("an ordinal without a reference", async () => {
    const vault = new FixtureVault();
    const inner = directory(vault, []);
    const page = directory(vault, [folder("sub", inner)]);
    const record = vault.records.get(page.id.toString("hex"));
    expect(record).toBeDefined();
    // The same page without its references: every ordinal points nowhere.
    const bad = directory(vault, [folder("sub", inner)], (plaintext) => {
      const spoiled = Buffer.from(plaintext);
      const at = spoiled.indexOf("sub") + 3 + 1 + 2 + 1 + 1 + 1 + 1 + 36 + 16 + 1 + 1;
      spoiled[at] = 0x7f;
      return spoiled;
    });
    const { target, result } = await restoreBad(vault, directory(vault, [folder("bad", bad)]));
    expect(result.notes).toMatchObject([{ level: "error", path: "/bad", code: "corrupt" }]);
    expect(readdirSync(join(target, "bad"))).toEqual([]);
  });

  test("extents that reach out of their chunk", async () => {
    const vault = new FixtureVault();
    const bytes = randomBytes(1000);
    const id = vault.put(RecordType.data, bytes);
    const hasher = new FileHasher(vault.keys.fileHashKey);
    hasher.update(randomBytes(2000));
    const lying = { id, plainLength: 4000, offset: 500, length: 2000, hole: false } as const;
    const file = (name: string, extents: EntryDraft["content"] & { form: "inline" }): EntryDraft => ({
      ...common(name),
      kind: EntryKind.file,
      size: extents.extents.reduce((sum, { length }) => sum + length, 0),
      fileHash: randomBytes(32),
      content: extents,
    });
    const root = directory(vault, [
      file("one", { form: "inline", extents: [lying] }),
      file("two", { form: "inline", extents: [{ length: 5, hole: true }, lying] }),
    ]);
    const { target, result } = await restoreBad(vault, root);
    expect(result.notes.map(({ path, code }) => [path, code]).sort()).toEqual([
      ["/one", "corrupt"],
      ["/two", "corrupt"],
    ]);
    expect(readdirSync(target)).toEqual([]);
  });

  test("an extent page that covers another length than its file", async () => {
    const vault = new FixtureVault();
    const writer = new ByteWriter();
    writer.u32(0);
    writer.u32(1);
    writer.u64(5000n);
    writer.u32(0xffff_ffff);
    writer.u32(0);
    const plaintext = writer.finish();
    const id = vault.put(RecordType.extents, plaintext);
    const content = { form: "pages", id, plainLength: plaintext.length } as const;
    const entry = { ...common("f"), kind: EntryKind.file, size: 6000, fileHash: randomBytes(32), content };
    const { target, result } = await restoreBad(vault, directory(vault, [entry]));
    expect(result.notes).toMatchObject([{ path: "/f", code: "corrupt" }]);
    expect(readdirSync(target)).toEqual([]);
  });

  test("directories nested deeper than the format allows", { timeout: 240_000 }, async () => {
    const vault = new FixtureVault();
    let page = directory(vault, []);
    for (let depth = 0; depth < limits.directoryDepthMax + 10; depth++)
      page = directory(vault, [folder("d", page)]);
    const { result } = await restoreBad(vault, page);
    expect(result).toMatchObject({ errors: 1, directories: limits.directoryDepthMax });
    expect(result.notes).toMatchObject([{ code: "limit-exceeded" }]);
  });

  test("a page of another type than its place", async () => {
    const vault = new FixtureVault();
    const id = vault.put(RecordType.data, Buffer.from("not a page"));
    const { result } = await restoreBad(vault, directory(vault, [folder("bad", { id, plainLength: 10 })]));
    expect(result.notes).toMatchObject([{ path: "/bad", code: "chunk-damaged" }]);
  });
});
