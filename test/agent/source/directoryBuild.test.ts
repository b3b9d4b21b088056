// One directory put together from old and new rows that are resolved in any order: the same pages as a plain writer
// makes, and the old ones where nothing changed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import {
  Backlog,
  DirectoryBuild,
  type DirectoryResult,
  type Slot,
} from "../../../agent/source/directoryBuild.ts";
import { PageCache } from "../../../agent/source/pageCache.ts";
import { PreviousCursor, type PreviousRow, PreviousTree } from "../../../agent/source/previousTree.ts";
import { compareBytes } from "../../../vault/bytes.ts";
import { chunkId } from "../../../vault/chunkId.ts";
import { RecordType } from "../../../vault/magic.ts";
import { DirectoryWriter } from "../../../vault/tree/directoryWriter.ts";
import type { EntryDraft } from "../../../vault/tree/entry.ts";
import { plainDraft, splitTable } from "../../vault/drafts.ts";
import { seededId } from "../../vault/seeded.ts";

const scratch = mkdtempSync(join(tmpdir(), "holdfast-build-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const idKey = Buffer.alloc(32, 7);
let counter = 0;
let remote = new Map<string, { plaintext: Buffer; refs: Buffer }>();
let fetched: number[] = [];
let tree: PreviousTree;

/** A tree over an empty cache, so that every page is fetched once. */
beforeEach(() => {
  remote = new Map();
  freshTree();
});

function freshTree(): void {
  fetched = [];
  const path = join(scratch, `cache-${counter++}`);
  tree = new PreviousTree(PageCache.open({ path, vaultId: Buffer.alloc(16), group: 0, idKey }), {
    fetch: async (ids) => {
      fetched.push(ids.length);
      return ids.map((id) => {
        const page = remote.get(id.toString("hex"));
        if (page === undefined) throw new Error("no such page");
        return page;
      });
    },
  });
}

function emit(plaintext: Buffer, refs: Buffer): Buffer {
  const id = chunkId(idKey, RecordType.directory, refs, plaintext);
  remote.set(id.toString("hex"), { plaintext, refs });
  return id;
}

function writeAll(drafts: readonly EntryDraft[]): { id: Buffer; plainLength: number } {
  const writer = new DirectoryWriter(splitTable, emit);
  for (const draft of drafts) writer.add(draft);
  return writer.finish();
}

const nameOf = (number: number): string => `name-${number.toString(36)}-${"x".repeat(number % 40)}`;

/** Every fifth file has extent pages, with a count of its data or, as older entries of sparse files, without. */
function draftOf(number: number, version: number): EntryDraft {
  const draft = plainDraft(nameOf(number), version);
  if (number % 5 !== 0) return draft;
  const counted = number % 2 === 0 ? { dataBytes: 1 + (number % 999) } : {};
  return {
    ...draft,
    content: { form: "pages", id: seededId(`pages ${number}`), plainLength: 152, ...counted },
  };
}

/** Names in the order of their bytes, each with a version. */
function drafts(rows: ReadonlyMap<number, number>): EntryDraft[] {
  return [...rows]
    .map(([number, version]) => draftOf(number, version))
    .sort((a, b) => compareBytes(a.name, b.name));
}

async function previousOf(id: Buffer, plainLength: number) {
  return { tree, id, plainLength, leaves: await tree.leaves(id) };
}

describe("one directory of the new tree", () => {
  test("has the pages of a plain writer, in whatever order its rows are resolved", async () => {
    const rows = fc.uniqueArray(fc.nat(900), { maxLength: 700 });
    const change = fc.record({ pick: fc.nat(900), kind: fc.constantFrom("remove", "edit", "add") });
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.array(change, { maxLength: 12 }),
        fc.infiniteStream(fc.nat(9)),
        fc.boolean(),
        async (numbers, changes, chances, hasPrevious) => {
          remote.clear();
          freshTree();
          const chance = (): number => chances.next().value ?? 0;
          const before = new Map(numbers.map((number) => [number, 0]));
          const after = new Map(before);
          for (const { pick, kind } of changes) {
            if (kind === "remove") after.delete(pick);
            else if (kind === "add" || after.has(pick)) after.set(pick, 1);
          }
          const old = writeAll(drafts(before));
          const wanted = writeAll(drafts(after));
          const previous = hasPrevious ? await previousOf(old.id, old.plainLength) : undefined;
          const results: DirectoryResult[] = [];
          const made: string[] = [];
          const backlog = new Backlog();
          const build = new DirectoryBuild(
            previous,
            () =>
              new DirectoryWriter(splitTable, (plaintext, refs) => {
                const id = emit(plaintext, refs);
                made.push(id.toString("hex"));
                return id;
              }),
            backlog,
            (result) => results.push(result),
          );
          const cursor =
            previous === undefined ? undefined : new PreviousCursor(previous.tree, previous.leaves.ids);
          const waiting: { slot: Slot; outcome: "dropped" | PreviousRow | EntryDraft }[] = [];
          const resolveOne = (): void => {
            const [next] = waiting.splice(chance() % (waiting.length || 1), 1);
            if (next !== undefined) build.resolve(next.slot, next.outcome);
          };
          for (const draft of drafts(after)) {
            const found = await cursor?.seek(draft.name);
            const number = numbers.find((each) => nameOf(each) === draft.name.toString());
            expect(found !== undefined).toBe(hasPrevious && number !== undefined);
            if (found !== undefined) expect(found.page.nameAt(found.row).equals(draft.name)).toBe(true);
            const unchanged = number !== undefined && after.get(number) === 0;
            const outcome = unchanged && found !== undefined ? found : draft;
            if (chance() < 3) waiting.push({ slot: build.announce(), outcome });
            else build.add(outcome);
            if (chance() === 0) waiting.push({ slot: build.announce(), outcome: "dropped" });
            if (chance() < 2) resolveOne();
          }
          build.end();
          while (waiting.length > 0) {
            expect(results).toEqual([]);
            resolveOne();
          }
          expect(results.length).toBe(1);
          expect(results[0]).toMatchObject({
            id: wanted.id,
            plainLength: wanted.plainLength,
            files: after.size,
            directories: 0,
            bytes: after.size * 1000,
          });
          const untouched = hasPrevious && old.id.equals(wanted.id);
          if (untouched) expect(made).toEqual([]);
          expect(backlog.hasRoom).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("an empty directory, and one whose last rows went", async () => {
    const old = writeAll(drafts(new Map([1, 2, 3].map((number) => [number, 0]))));
    const previous = await previousOf(old.id, old.plainLength);
    for (const kept of [0, 1, 2, 3]) {
      const results: DirectoryResult[] = [];
      const build = new DirectoryBuild(
        previous,
        () => new DirectoryWriter(splitTable, emit),
        new Backlog(),
        (result) => results.push(result),
      );
      const cursor = new PreviousCursor(tree, previous.leaves.ids);
      const rest = drafts(new Map([1, 2, 3].map((number) => [number, 0]))).slice(0, kept);
      for (const { name } of rest) build.add((await cursor.seek(name)) as PreviousRow);
      build.end();
      expect(results[0]?.id).toEqual(writeAll(rest).id);
    }
  });

  test("a backlog lets go when rows are resolved", async () => {
    const backlog = new Backlog();
    const build = new DirectoryBuild(
      undefined,
      () => new DirectoryWriter(splitTable, emit),
      backlog,
      () => undefined,
    );
    const first = build.announce();
    const names = drafts(new Map(Array.from({ length: Backlog.rowsMax + 5 }, (_, number) => [number, 0])));
    for (const draft of names.slice(1)) build.add(draft);
    expect(backlog.hasRoom).toBe(false);
    let roomy = false;
    const room = backlog.room().then(() => {
      roomy = true;
    });
    await Promise.resolve();
    expect(roomy).toBe(false);
    build.resolve(first, names[0] as EntryDraft);
    await room;
  });
});
