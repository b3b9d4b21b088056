// A cache of the previous tree that is lost or has holes is filled in few requests.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type CachedPage, PageCache } from "../../../agent/source/pageCache.ts";
import { PreviousTree } from "../../../agent/source/previousTree.ts";
import { compareBytes } from "../../../vault/bytes.ts";
import { chunkId } from "../../../vault/chunkId.ts";
import { RecordType } from "../../../vault/magic.ts";
import { type EntryDraft, EntryKind } from "../../../vault/tree/entry.ts";
import { PageStore, plainDraft, writeDirectory } from "../../vault/drafts.ts";

const scratch = mkdtempSync(join(tmpdir(), "holdfast-tree-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const idKey = Buffer.alloc(32, 7);
/** Pages by the ids that the cache will check. */
class KeyedStore extends PageStore {
  override readonly emit = (plaintext: Buffer, refs: Buffer): Buffer => {
    const id = chunkId(idKey, RecordType.directory, refs, plaintext);
    this.pages.set(id.toString("hex"), { plaintext, refs });
    return id;
  };
}

function folderDraft(name: string, below: { id: Buffer; plainLength: number }): EntryDraft {
  const { mode, uid, gid, userName, groupName, mtime, ctime, btime, device, inode, linkCount, xattrs } =
    plainDraft(name);
  const child = { id: below.id, plainLength: below.plainLength, files: 1, directories: 0, bytes: 1000 };
  const owner = { uid, gid, userName, groupName };
  const times = { mtime, ctime, btime };
  const rest = { device, inode, linkCount, xattrs, child };
  return { name: Buffer.from(name), kind: EntryKind.directory, mode, ...owner, ...times, ...rest };
}

test("holes cost a few requests, and nothing is fetched twice", async () => {
  const pages = new KeyedStore();
  const children = Array.from({ length: 600 }, (_, i) => writeDirectory([plainDraft(`c${i}`)], pages));
  const rows = children.map((child, i) => folderDraft(`p${i}`, child));
  const root = writeDirectory(
    rows.sort((a, b) => compareBytes(a.name, b.name)),
    pages,
  ).id;
  const keep = (share: number) => (_: unknown, index: number) => index % 10 < share;
  // Nothing, some, and nearly all are there before; with and without the root.
  for (const share of [0, 3, 9]) {
    for (const hasRoot of [false, true]) {
      const path = join(scratch, `cache-${share}-${hasRoot}`);
      const cache = PageCache.open({ path, vaultId: Buffer.alloc(16), group: 0, idKey });
      const fetched: string[] = [];
      let requests = 0;
      const tree = new PreviousTree(cache, {
        fetch: async (ids): Promise<CachedPage[]> => {
          requests += 1;
          fetched.push(...ids.map((id) => id.toString("hex")));
          return ids.map((id) => pages.bytes(id));
        },
      });
      const isRoot = (id: string): boolean => id === root.toString("hex");
      const there = [...pages.pages].filter(keep(share)).filter(([id]) => !isRoot(id));
      if (hasRoot) there.push([root.toString("hex"), pages.bytes(root)]);
      for (const [id, page] of there) cache.put(Buffer.from(id, "hex"), page);
      await tree.prefetch(root);
      if (hasRoot) expect(requests).toBe(0);
      await tree.leaves(root);
      for (const { id } of children) expect((await tree.load(id)).rowCount).toBe(1);
      expect(new Set(fetched).size).toBe(fetched.length);
      expect(fetched.length).toBe(pages.pages.size - new Set(there.map(([id]) => id)).size);
      expect(requests).toBeLessThan(12);
      cache.close();
    }
  }
});

test("a page that nobody has is a failure", async () => {
  const cache = PageCache.open({ path: join(scratch, "none"), vaultId: Buffer.alloc(16), group: 0, idKey });
  const tree = new PreviousTree(cache, { fetch: async () => [] });
  await expect(tree.load(writeDirectory([]).id)).rejects.toMatchObject({ code: "chunk-missing" });
  cache.close();
});

test("a tree that another device made cannot cost without end", async () => {
  const pages = new KeyedStore();
  let below = writeDirectory([plainDraft("file")], pages);
  // 2^60 folders, on 61 pages.
  for (let level = 0; level < 60; level++)
    below = writeDirectory([folderDraft("a", below), folderDraft("b", below)], pages);
  const cache = PageCache.open({
    path: join(scratch, "endless"),
    vaultId: Buffer.alloc(16),
    group: 0,
    idKey,
  });
  const fetch = async (ids: readonly Buffer[]): Promise<CachedPage[]> => ids.map((id) => pages.bytes(id));
  const tree = new PreviousTree(cache, { fetch }, 4096 * 500);
  await tree.prefetch(below.id);
  expect((await tree.leaves(below.id)).rows).toBe(2);
  // One directory that has the same page again and again.
  const leaf = writeDirectory([plainDraft("m")], pages);
  const rows = ["a", "b"].map((name) => Buffer.from([4, 1, name.charCodeAt(0), 0, 1]));
  const plainLength = [0x80 | (leaf.plainLength & 0x7f), leaf.plainLength >> 7];
  const head = Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, ...plainLength, 0]);
  const branch = pages.emit(Buffer.concat([head, ...rows]), leaf.id);
  await expect(tree.leaves(branch)).rejects.toMatchObject({ code: "corrupt", message: /stands twice/ });
  cache.close();
});
